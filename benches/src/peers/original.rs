//! CPython, which takes part in every round: a process that is asked for one figure at a time.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{Contest, python};

/// A running script of `benches/python`, if python3 is there.
pub struct Original(Option<RefCell<Python>>);

struct Python {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Original {
    /// Starts the script, which answers each line on its standard input with a line that is a figure.
    pub fn start(script: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(python::interpreter());
        command.arg(python::path(script)).args(arguments);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            eprintln!("no python3 here: CPython's rows are left out");
            return Self::missing();
        };
        let questions = child.stdin.take();
        let answers = child.stdout.take().expect("it is piped");
        Self(Some(RefCell::new(Python {
            child,
            questions,
            answers: BufReader::new(answers),
        })))
    }

    /// One that takes no part.
    pub fn missing() -> Self {
        Self(None)
    }

    /// Enters one of the script's cases into a contest, under a name for the table.
    pub fn enter<'a>(
        &'a self,
        contest: Contest<'a>,
        name: &'static str,
        case: &'static str,
    ) -> Contest<'a> {
        match &self.0 {
            Some(python) => contest.entrant(name, move || python.borrow_mut().figure(case)),
            None => contest,
        }
    }
}

impl Python {
    /// Not a number, if the script does not answer; it has said why on standard error.
    fn figure(&mut self, case: &str) -> f64 {
        let mut line = String::new();
        let asked = self.questions.as_mut().map(|to| writeln!(to, "{case}"));
        match (asked, self.answers.read_line(&mut line)) {
            (Some(Ok(())), Ok(_)) => line.trim().parse().unwrap_or(f64::NAN),
            _ => f64::NAN,
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}
