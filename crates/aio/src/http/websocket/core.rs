//! One WebSocket, as its handle and its senders share it.

use std::{
    cell::{Cell, RefCell, RefMut},
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use tokio::io::AsyncReadExt;

use super::{
    frame::{CLOSE, PING, PONG},
    inbound::{Event, Inbound},
    options::WebSocketOptions,
    outbound::Outbound,
    socket::{CloseFrame, Message, Stream},
};
use crate::{
    clock,
    error::{WebSocketError, WebSocketFault},
    http::{connection::Course, timer::Alarm},
};

/// With more than this unsent, nothing more is read: what it would make us answer has no room.
const HIGH_WATER: usize = 64 * 1024;

pub(super) struct Core {
    stream: RefCell<Stream>,
    pub(super) inbound: RefCell<Inbound>,
    pub(super) outbound: RefCell<Outbound>,
    pub(super) options: WebSocketOptions,
    pub(super) protocol: Option<String>,
    course: Option<Rc<Course>>,
    /// When something last came, and whether a ping has been sent since.
    heard: Cell<Instant>,
    pinged: Cell<bool>,
    stuck: Cell<Option<Instant>>,
    alarm: RefCell<Alarm>,
    /// Our close frame has been queued.
    pub(super) close_sent: Cell<bool>,
    /// No more comes: the peer's close frame did, or the connection has ended.
    pub(super) ended: Cell<bool>,
    pub(super) close_frame: RefCell<Option<CloseFrame>>,
}

impl Core {
    pub(super) fn new(
        stream: Stream,
        inbound: Inbound,
        outbound: Outbound,
        options: WebSocketOptions,
        protocol: Option<String>,
        course: Option<Rc<Course>>,
    ) -> Rc<Self> {
        Rc::new(Core {
            stream: RefCell::new(stream),
            inbound: RefCell::new(inbound),
            outbound: RefCell::new(outbound),
            options,
            protocol,
            course,
            heard: Cell::new(clock::now()),
            pinged: Cell::new(false),
            stuck: Cell::new(None),
            alarm: RefCell::default(),
            close_sent: Cell::new(false),
            ended: Cell::new(false),
            close_frame: RefCell::new(None),
        })
    }

    pub(super) fn queue_close(&self, code: u16, reason: &str) {
        if self.close_sent.replace(true) {
            return;
        }
        let mut payload = code.to_be_bytes().to_vec();
        // A control frame holds 125 bytes.
        let mut end = reason.len().min(123);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        payload.extend_from_slice(&reason.as_bytes()[..end]);
        self.outbound.borrow_mut().frame(CLOSE, false, &payload);
    }

    /// Sends what is queued. Ends when all of it is sent; those who wait for that, too, are woken then.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
        let mut outbound = self.outbound.borrow_mut();
        if outbound.unmasked {
            return self.give_up(outbound, WebSocketError::NoRandomness);
        }
        while !outbound.unsent().is_empty() {
            let written =
                Pin::new(&mut **self.stream.borrow_mut()).poll_write(cx, outbound.unsent());
            match written {
                Poll::Ready(Ok(count)) if count > 0 => {
                    outbound.sent += count;
                    self.stuck.set(None);
                }
                Poll::Ready(_) => return self.give_up(outbound, WebSocketError::Closed),
                Poll::Pending => {
                    if self.stuck.get().is_none() {
                        self.stuck.set(Some(clock::now()));
                    }
                    if !outbound
                        .waiting
                        .iter()
                        .any(|waker| waker.will_wake(cx.waker()))
                    {
                        outbound.waiting.push(cx.waker().clone());
                    }
                    return Poll::Pending;
                }
            }
        }
        outbound.all_sent();
        drop(outbound);
        self.wake_waiting();
        Poll::Ready(Ok(()))
    }

    /// Nothing can be sent any more.
    fn give_up(
        &self,
        mut outbound: RefMut<'_, Outbound>,
        error: WebSocketError,
    ) -> Poll<Result<(), WebSocketError>> {
        self.ended.set(true);
        outbound.all_sent();
        drop(outbound);
        self.wake_waiting();
        Poll::Ready(Err(error))
    }

    /// Has all who wait for the socket look again.
    pub(super) fn wake_waiting(&self) {
        let waiting = std::mem::take(&mut self.outbound.borrow_mut().waiting);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The next message; `None` at the end.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, WebSocketError>> {
        loop {
            if self.ended.get() {
                return Poll::Ready(Ok(None));
            }
            if self
                .course
                .as_ref()
                .is_some_and(|course| course.closing.get())
            {
                self.queue_close(1001, "the server goes away");
            }
            let drained = self.poll_drain(cx);
            if let Poll::Ready(Err(_)) = drained {
                continue;
            }
            let full = self.outbound.borrow().unsent().len() > HIGH_WATER;
            let event = self.inbound.borrow_mut().next();
            match event {
                Ok(Some(Event::Message(message))) => return Poll::Ready(Ok(Some(message))),
                Ok(Some(other)) => self.answer(other),
                Err(fault) => return Poll::Ready(Err(self.refuse(fault, cx))),
                Ok(None) if full => return self.poll_patience(cx),
                Ok(None) => match self.poll_read(cx) {
                    Poll::Ready(Ok(count)) if count > 0 => {}
                    Poll::Ready(_) => self.ended.set(true),
                    Poll::Pending => return self.poll_patience(cx),
                },
            }
        }
    }

    fn answer(&self, event: Event) {
        match event {
            // After our close frame nothing may be sent.
            Event::Ping(payload) if !self.close_sent.get() => {
                self.outbound.borrow_mut().frame(PONG, false, &payload);
            }
            Event::Close(frame) => {
                let code = frame.as_ref().map_or(1000, |frame| frame.code);
                self.queue_close(code, "");
                let no_code = CloseFrame {
                    code: 1005,
                    reason: String::new(),
                };
                *self.close_frame.borrow_mut() = Some(frame.unwrap_or(no_code));
                self.ended.set(true);
            }
            Event::Ping(_) | Event::Pong | Event::Message(_) => {}
        }
    }

    /// Tells the peer what it did wrong, as far as the socket takes it at once.
    fn refuse(&self, fault: WebSocketFault, cx: &mut Context<'_>) -> WebSocketError {
        self.queue_close(fault.code(), &fault.to_string());
        // Whatever is left is sent when the WebSocket is closed.
        let _ = self.poll_drain(cx);
        self.ended.set(true);
        WebSocketError::Fault(fault)
    }

    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut inbound = self.inbound.borrow_mut();
        inbound.make_room();
        let mut stream = self.stream.borrow_mut();
        // Reading has no state of its own, so the future need not outlive this poll.
        let count = ready!(pin!(stream.read_buf(&mut inbound.bytes)).poll(cx));
        self.heard.set(clock::now());
        self.pinged.set(false);
        Poll::Ready(count)
    }

    /// Nothing can be done now: how long it may stay so.
    fn poll_patience(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, WebSocketError>> {
        loop {
            let stuck = self
                .stuck
                .get()
                .and_then(|since| since.checked_add(self.options.write_stall));
            let silent = self.options.ping.and_then(|period| {
                let periods = if self.pinged.get() { 2 } else { 1 };
                self.heard.get().checked_add(period.saturating_mul(periods))
            });
            let due = match (stuck, silent) {
                (Some(stuck), Some(silent)) => stuck.min(silent),
                (stuck, silent) => match stuck.or(silent) {
                    Some(due) => due,
                    None => return Poll::Pending,
                },
            };
            ready!(self.alarm.borrow_mut().poll_until(due, cx));
            if stuck == Some(due) || self.pinged.get() {
                self.ended.set(true);
                return Poll::Ready(Err(WebSocketError::TimedOut));
            }
            self.pinged.set(true);
            if !self.close_sent.get() {
                self.outbound.borrow_mut().frame(PING, false, b"");
                // What cannot be sent now is sent later: this task is woken when it can.
                let _ = self.poll_drain(cx);
            }
        }
    }

    /// Ends the connection: sends what is queued, tells the peer, and drops the socket's other half with the last handle.
    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(self.poll_drain(cx)).is_ok() {
            // A peer that is gone need not be told.
            let _ = ready!(Pin::new(&mut **self.stream.borrow_mut()).poll_shutdown(cx));
        }
        Poll::Ready(())
    }

    pub(super) fn patience_to_write(&self) -> Duration {
        self.options.write_stall
    }
}
