//! A request on its way: the wait for a place, attempts, redirects.

use std::{
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::http::{HeaderMap, HeaderValue, Method, header};
use reqwest::Url;

use super::{
    connector::Along,
    redirect,
    request::take_credentials,
    response::ClientResponse,
    session::{Permit, Shared},
    trace::Trail,
    upload::Upload,
};
use crate::{
    clock,
    combine::wait_for,
    error::{ClientError, ClientErrorKind, ClientPhase},
    sleep::sleep,
};

/// The pause before a request is repeated; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Exchange {
    pub(super) shared: Rc<Shared>,
    pub(super) trail: Rc<Trail>,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) upload: Upload,
    /// None is never.
    pub(super) deadline: Option<Instant>,
    pub(super) redirects: usize,
    /// A redirect has led elsewhere: what is private to the first place is not sent any more.
    pub(super) has_strayed: bool,
}

impl Exchange {
    pub(super) async fn run(mut self) -> Result<ClientResponse, ClientError> {
        let most = self.redirects;
        loop {
            let permit = self.permit().await?;
            let response = self.ask().await?;
            self.shared.keep_cookies(&self.url, response.headers());
            self.trail.status(response.status());
            let target = match most {
                0 => None,
                _ => redirect::target(&self.url, response.status(), response.headers()),
            };
            let Some(target) = target.filter(|_| self.can_follow(&response)) else {
                self.trail.answered(response.headers());
                let Exchange { shared, trail, .. } = self;
                return Ok(ClientResponse::new(
                    response,
                    permit,
                    &shared,
                    trail,
                    self.deadline,
                ));
            };
            self.follow(&response, target)?;
        }
    }

    fn fail(&self, kind: ClientErrorKind) -> ClientError {
        ClientError::new(kind, self.url.as_str())
    }

    /// What is left of the whole request's time.
    fn left(&self) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(clock::now())
        })
    }

    /// Waits until one more request may be under way.
    async fn permit(&self) -> Result<Permit, ClientError> {
        if let Some(permit) = self.shared.permit_now(&self.url) {
            return Ok(permit);
        }
        self.trail.queued();
        let permit = wait_for(self.shared.permit(&self.url), self.left()).await;
        permit.map_err(|_| self.fail(ClientErrorKind::TimedOut(ClientPhase::Pool)))
    }

    /// Sends the request, once more if it may be and must be.
    async fn ask(&mut self) -> Result<reqwest::Response, ClientError> {
        let may_be_repeated = self.method.is_idempotent() && self.upload.is_repeatable();
        let repeats = match may_be_repeated {
            true => self.shared.limits.retries,
            false => 0,
        };
        let mut pause = FIRST_PAUSE;
        for _ in 0..repeats {
            match self.attempt().await {
                Err(error) if error.is_before_answer() => self.trail.repeated(&error),
                answered => return answered,
            }
            sleep(pause.min(self.left())).await;
            pause *= 2;
        }
        self.attempt().await
    }

    async fn attempt(&mut self) -> Result<reqwest::Response, ClientError> {
        self.trail.again();
        let taken = Arc::new(AtomicU64::new(0));
        let request = self.build(&taken);
        let sending = self.shared.client.execute(request);
        let mut sending = pin!(Along::new(&self.trail, sending));
        let answer = loop {
            let before = taken.load(Ordering::Relaxed);
            let left = self.left();
            match wait_for(sending.as_mut(), left.min(self.shared.limits.read)).await {
                Ok(answer) => break answer,
                // Nothing has come, but the server goes on taking what we send.
                Err(_) if !left.is_zero() && taken.load(Ordering::Relaxed) > before => {}
                Err(_) => return Err(self.fail(ClientErrorKind::TimedOut(self.trail.phase()))),
            }
        };
        let answer = answer.map_err(|error| {
            ClientError::from_reqwest(error, self.url.as_str(), ClientPhase::Head)
        })?;
        match has_two_lengths(&answer) {
            true => Err(self.fail(ClientErrorKind::Malformed(ClientPhase::Head))),
            false => Ok(answer),
        }
    }

    fn build(&mut self, taken: &Arc<AtomicU64>) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        let mut headers = self.headers.clone();
        self.shared
            .complete(&self.url, self.has_strayed, &mut headers);
        if let Some(length) = self.upload.told_length() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        *request.headers_mut() = headers;
        *request.body_mut() = self.upload.body(taken);
        request
    }

    /// Whether what was asked can be asked elsewhere, too: a stream that has been sent is gone.
    fn can_follow(&self, response: &reqwest::Response) -> bool {
        self.upload.is_repeatable()
            || redirect::method(response.status(), &self.method) != self.method
    }

    fn follow(&mut self, response: &reqwest::Response, mut target: Url) -> Result<(), ClientError> {
        if self.redirects == 0 {
            return Err(self.fail(ClientErrorKind::TooManyRedirects));
        }
        if redirect::is_downgrade(&self.url, &target) {
            return Err(self.fail(ClientErrorKind::RefusedRedirect));
        }
        self.redirects -= 1;
        let method = redirect::method(response.status(), &self.method);
        if method != self.method {
            redirect::strip_body(&mut self.headers);
            self.upload = Upload::None;
        }
        if !redirect::same_origin(&self.url, &target) {
            redirect::strip_private(&mut self.headers);
            self.has_strayed = true;
        }
        if let Some(credentials) = take_credentials(&mut target) {
            self.headers.insert(header::AUTHORIZATION, credentials);
        }
        self.trail.redirected(&method, target.as_str());
        (self.method, self.url) = (method, target);
        Ok(())
    }
}

/// A length and chunks at once: someone between us and the server may have read it the other way.
fn has_two_lengths(response: &reqwest::Response) -> bool {
    let headers = response.headers();
    headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH)
}
