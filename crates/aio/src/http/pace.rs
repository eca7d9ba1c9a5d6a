//! How slowly a body may come.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::{body::BoxError, limits::Limits, timer::Alarm};
use crate::clock;

/// How long a body has been waited for, and how much of it came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    waited: Duration,
    came: u64,
}

impl Pace {
    /// Bytes came that were waited for since then, if they were. The wait for the first ones does not count.
    pub(crate) fn came(&mut self, count: usize, since: Option<Instant>) {
        if let Some(since) = since
            && self.came > 0
        {
            self.waited += clock::now().saturating_duration_since(since);
        }
        self.came += count as u64;
    }

    /// How long the next bytes are waited for: they must not stop, nor come too slowly on average.
    pub(crate) fn patience(&self, limits: &Limits) -> Duration {
        let enough =
            Duration::from_millis(self.came.saturating_mul(1000) / limits.body_rate.max(1));
        let average = if limits.body_rate == 0 {
            Duration::MAX
        } else {
            enough.max(limits.body_grace).saturating_sub(self.waited)
        };
        limits.body_idle.min(average)
    }
}

/// A body from the network.
pub(crate) struct Paced {
    incoming: Incoming,
    /// HTTP/1's connection keeps the time itself; of HTTP/2's bodies each has its own.
    timed: Option<Box<Timed>>,
}

struct Timed {
    limits: Limits,
    pace: Pace,
    since: Option<Instant>,
    alarm: Alarm,
}

impl Paced {
    pub(crate) fn new(incoming: Incoming, limits: Option<&Limits>) -> Self {
        let limits = limits.filter(|_| !incoming.is_end_stream());
        let timed = limits.map(|limits| {
            Box::new(Timed {
                limits: *limits,
                pace: Pace::default(),
                since: None,
                alarm: Alarm::default(),
            })
        });
        Paced { incoming, timed }
    }
}

impl Timed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let since = *self.since.get_or_insert_with(clock::now);
        match since.checked_add(self.pace.patience(&self.limits)) {
            Some(due) => self
                .alarm
                .poll_until(due, cx)
                .map(|()| io::ErrorKind::TimedOut.into()),
            // The clock cannot count that far: patience never ends.
            None => Poll::Pending,
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        let Some(timed) = &mut self.timed else {
            return polled.map_err(Into::into);
        };
        match &polled {
            Poll::Pending => return timed.poll(cx).map(|error| Some(Err(error.into()))),
            Poll::Ready(Some(Ok(frame))) => {
                let count = frame.data_ref().map_or(0, Bytes::len);
                timed.pace.came(count, timed.since.take());
            }
            Poll::Ready(_) => {}
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
