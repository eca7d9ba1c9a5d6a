//! A pipeline: characters to tokens, tokens to a value, each stage a coroutine.

use coroutines::{Boxed, Co, CoroutineExt, CoroutineState::*, coroutine, generator};
use std::iter::Peekable;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(i64),
    Sign(char),
}

fn tokens(text: &str) -> Boxed<'_, Token, (), Result<(), String>> {
    generator(async move |mut co: Co<'_, Token>| {
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                ' ' => {}
                '0'..='9' => {
                    let mut end = at + 1;
                    while chars.next_if(|(_, c)| c.is_ascii_digit()).is_some() {
                        end += 1;
                    }
                    let number = text[at..end]
                        .parse()
                        .map_err(|e| format!("{}: {e}", &text[at..end]))?;
                    co.yield_(Token::Number(number)).await;
                }
                '+' | '-' | '*' | '(' | ')' => co.yield_(Token::Sign(c)).await,
                other => return Err(format!("{other:?} at {at}")),
            }
        }
        Ok(())
    })
    .boxed()
}

/// Recursive descent over any stream of tokens.
fn sum(tokens: &mut Peekable<impl Iterator<Item = Token>>) -> Option<i64> {
    let mut total = product(tokens)?;
    while let Some(Token::Sign(sign)) = tokens.next_if(|t| matches!(t, Token::Sign('+' | '-'))) {
        let next = product(tokens)?;
        total = if sign == '+' {
            total + next
        } else {
            total - next
        };
    }
    Some(total)
}

fn product(tokens: &mut Peekable<impl Iterator<Item = Token>>) -> Option<i64> {
    let mut total = factor(tokens)?;
    while tokens.next_if_eq(&Token::Sign('*')).is_some() {
        total *= factor(tokens)?;
    }
    Some(total)
}

fn factor(tokens: &mut Peekable<impl Iterator<Item = Token>>) -> Option<i64> {
    match tokens.next()? {
        Token::Number(n) => Some(n),
        Token::Sign('(') => {
            let inner = sum(tokens);
            tokens.next_if_eq(&Token::Sign(')')).and(inner)
        }
        Token::Sign(_) => None,
    }
}

#[test]
fn a_parser_pulls_tokens_as_it_needs_them() {
    let value = |text| sum(&mut tokens(text).peekable());
    assert_eq!(value("1 + 2 * (3 + 4) - 5"), Some(10));
    assert_eq!(value("((12))*(2-4)"), Some(-24));
    assert_eq!(value("1 + (2"), None);
}

#[test]
fn an_error_comes_after_the_tokens_before_it() {
    let mut stream = tokens("1 + ?");
    assert_eq!(
        stream.by_ref().collect::<Vec<_>>(),
        [Token::Number(1), Token::Sign('+')]
    );
    assert_eq!(stream.take_return(), Some(Err("'?' at 4".into())));
}

#[test]
fn a_parser_can_be_pushed_to_as_well() {
    // The other direction: characters are sent in as they arrive, finished lines come out.
    let mut lines = coroutine(async |mut co: Co<'_, Option<String>, char>, first| -> () {
        let (mut line, mut next) = (String::new(), first);
        loop {
            next = if next == '\n' {
                co.yield_(Some(std::mem::take(&mut line))).await
            } else {
                line.push(next);
                co.yield_(None).await
            };
        }
    })
    .boxed();
    let mut seen = Vec::new();
    for c in "one\ntwo\nthr".chars() {
        if let Yielded(Some(line)) = lines.send(c) {
            seen.push(line);
        }
    }
    assert_eq!(seen, ["one", "two"]);
}
