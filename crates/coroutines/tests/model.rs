//! Random bodies, driven by random calls, do what a plain machine without any coroutine does.

use coroutines::{
    Boxed, Co, CoroutineExt, CoroutineState, Ignored, ResumeError, Shared, coroutine,
};
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

type Arg = Result<u64, u64>;
type Body<'p> = Boxed<'p, u64, Arg, Arg>;

/// A line of a body. Every body keeps a number, which all that it meets changes.
#[derive(Clone, Debug)]
enum Line {
    /// Yields; an error that comes back is handled, or ends the body.
    Yield {
        value: u64,
        handles: bool,
    },
    /// Stands aside for another body, whose error ends this one.
    Delegate(Vec<Line>),
    Return,
    Panic,
}

/// A call from outside.
#[derive(Clone, Debug)]
enum Call {
    Send(u64),
    Throw(u64),
    CloseWith(u64),
    Close,
}

/// What a call brings.
#[derive(Debug, PartialEq)]
enum Seen {
    Yielded(u64),
    Returned(Arg),
    Refused(Arg),
    Ignored(u64),
    AlreadyEnded,
    Panicked,
    Closed,
}

fn mix(number: u64, factor: u64, with: u64) -> u64 {
    number.wrapping_mul(factor).wrapping_add(with)
}

/// The body as a coroutine.
fn body(lines: &[Line]) -> Body<'_> {
    coroutine(async move |mut co: Co<'_, u64, Arg>, first: Arg| {
        let mut number = first?;
        for line in lines {
            match line {
                Line::Yield { value, handles } => match co.yield_(number ^ value).await {
                    Ok(sent) => number = mix(number, 31, sent),
                    Err(error) if *handles => number = mix(number, 37, error),
                    Err(error) => return Err(error),
                },
                Line::Delegate(lines) => {
                    number = mix(number, 41, co.yield_from(body(lines), Ok(number)).await?);
                }
                Line::Return => return Ok(number),
                Line::Panic => panic!("as its line says"),
            }
        }
        Ok(number)
    })
    .boxed()
}

/// The body as a machine: one entry a level, (the lines, the next one, the number).
struct Machine<'p> {
    lines: &'p [Line],
    levels: Vec<(&'p [Line], usize, u64)>,
    started: bool,
    ended: bool,
}

impl<'p> Machine<'p> {
    fn new(lines: &'p [Line]) -> Self {
        Self {
            lines,
            levels: Vec::new(),
            started: false,
            ended: false,
        }
    }

    fn resume(&mut self, arg: Arg) -> Seen {
        if self.ended {
            return Seen::Refused(arg);
        }
        let seen = self.run(arg);
        self.ended = !matches!(seen, Seen::Yielded(_));
        seen
    }

    fn run(&mut self, arg: Arg) -> Seen {
        if !self.started {
            self.started = true;
            match arg {
                Ok(number) => self.levels.push((self.lines, 0, number)),
                Err(error) => return Seen::Returned(Err(error)),
            }
        } else if let Some((lines, next, number)) = self.levels.last_mut() {
            // The line before the next one is the yield that has been answered.
            match (arg, &lines[*next - 1]) {
                (Ok(sent), _) => *number = mix(*number, 31, sent),
                (Err(error), Line::Yield { handles: true, .. }) => {
                    *number = mix(*number, 37, error)
                }
                // Nobody above handles what a delegate does not.
                (Err(error), _) => return Seen::Returned(Err(error)),
            }
        }
        loop {
            let Some((lines, next, number)) = self.levels.last_mut() else {
                unreachable!("left below")
            };
            let line = lines.get(*next);
            *next += 1;
            match line {
                Some(Line::Yield { value, .. }) => return Seen::Yielded(*number ^ value),
                Some(Line::Panic) => return Seen::Panicked,
                Some(Line::Delegate(lines)) => {
                    let level = (lines.as_slice(), 0, *number);
                    self.levels.push(level);
                }
                Some(Line::Return) | None => {
                    let result = *number;
                    self.levels.pop();
                    match self.levels.last_mut() {
                        Some((_, _, number)) => *number = mix(*number, 41, result),
                        None => return Seen::Returned(Ok(result)),
                    }
                }
            }
        }
    }

    fn call(&mut self, call: &Call) -> Seen {
        match *call {
            Call::Send(n) => self.resume(Ok(n)),
            Call::Throw(n) => self.resume(Err(n)),
            Call::CloseWith(n) => match self.resume(Err(n)) {
                Seen::Refused(_) => Seen::AlreadyEnded,
                Seen::Yielded(value) => {
                    self.ended = true;
                    Seen::Ignored(value)
                }
                seen => seen,
            },
            Call::Close => {
                self.ended = true;
                Seen::Closed
            }
        }
    }
}

fn call<C: CoroutineExt<Arg, Yield = u64, Return = Arg>>(body: &mut C, call: &Call) -> Seen {
    let seen = catch_unwind(AssertUnwindSafe(|| match *call {
        Call::Send(n) => state(body.try_send(n)),
        Call::Throw(n) => state(body.try_throw(n)),
        Call::CloseWith(n) => match body.close_with(n) {
            Ok(Some(value)) => Seen::Returned(value),
            Ok(None) => Seen::AlreadyEnded,
            Err(Ignored(value)) => Seen::Ignored(value),
        },
        Call::Close => {
            std::pin::Pin::new(body).close();
            Seen::Closed
        }
    }));
    seen.unwrap_or(Seen::Panicked)
}

fn state(result: Result<CoroutineState<u64, Arg>, ResumeError<Arg>>) -> Seen {
    match result {
        Ok(CoroutineState::Yielded(value)) => Seen::Yielded(value),
        Ok(CoroutineState::Complete(value)) => Seen::Returned(value),
        Err(error) => Seen::Refused(
            error
                .into_argument()
                .expect("no body here awaits a foreign future"),
        ),
    }
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let line = prop_oneof![
        8 => (any::<u64>(), any::<bool>()).prop_map(|(value, handles)| Line::Yield { value, handles }),
        1 => Just(Line::Return),
        1 => Just(Line::Panic),
    ];
    let line = line.prop_recursive(4, 40, 6, |line| {
        prop::collection::vec(line, 0..6).prop_map(Line::Delegate)
    });
    prop::collection::vec(line, 0..10)
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        12 => any::<u64>().prop_map(Call::Send),
        4 => any::<u64>().prop_map(Call::Throw),
        1 => any::<u64>().prop_map(Call::CloseWith),
        1 => Just(Call::Close),
    ];
    prop::collection::vec(call, 1..30)
}

/// Without the report of a body's own panics.
fn quietly(test: impl FnOnce() -> Result<(), TestCaseError>) -> Result<(), TestCaseError> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let result = catch_unwind(AssertUnwindSafe(test));
    std::panic::set_hook(hook);
    result.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_body_does_what_the_machine_does(lines in lines(), calls in calls(), shared: bool) {
        quietly(|| {
            let mut machine = Machine::new(&lines);
            let mut plain = body(&lines);
            let mut handle = Shared::new(body(&lines));
            for each in &calls {
                let expected = machine.call(each);
                let seen = if shared { call(&mut handle, each) } else { call(&mut plain, each) };
                prop_assert_eq!(seen, expected, "{:?}", each);
                let finished = if shared { handle.is_finished() } else { plain.is_finished() };
                prop_assert_eq!(finished, machine.ended);
            }
            Ok(())
        })?;
    }
}
