//! Sends a call and reads the answer: tried again where that can help, never beyond the deadline.
//!
//! It is safe to try a write again: each write carries the version of the object that it was
//! decided on. If the first try did arrive, the second fails with a conflict, and the caller looks
//! again.

use std::time::Duration;

use crate::base::wiped::WipedBytes;
use http::{Response, header};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::call::{ApiCall, Verb};
use super::error::Error;
use super::{Kubernetes, status};
use crate::base::counters;
use crate::process::time_limit::retry;

/// Longest time for one try. A healthy server answers in milliseconds; a webhook may take up to 30
/// s, and then the call is tried again.
const ONE_TRY: Duration = Duration::from_secs(30);

/// An object is at most 1.5 MiB in the store; base64 and managed fields make it larger on the wire.
pub(super) const LONGEST_ANSWER: usize = 4 << 20;

impl Kubernetes {
    /// Makes a call, with more tries where they can help, and returns the body of the answer.
    pub(crate) async fn call(&self, call: &ApiCall<'_>) -> Result<WipedBytes, Error> {
        let deadline = self.time_limit.deadline();
        let mut tries = 0;
        let mut last = None;
        loop {
            tries += 1;
            let error = match self.once(call, deadline).await {
                Err(error) => error,
                Ok(answer) => return Ok(answer),
            };
            let Error::Unavailable {
                subject,
                verb,
                why,
                wait,
                ..
            } = error
            else {
                return Err(error);
            };
            let pause = retry::pause(tries, wait);
            // A failure that the deadline cut off says less than the failure before it.
            let cut_off = Instant::now() >= deadline;
            let why = last.take().filter(|_| cut_off).unwrap_or(why);
            if Instant::now() + pause >= deadline {
                return Err(Error::Unavailable {
                    subject,
                    verb,
                    why,
                    wait,
                    tries,
                });
            }
            // A process that stays reports a failure once for all its tries, and a failure that
            // passed not at all.
            if tries.is_power_of_two() && !self.time_limit.stays() {
                let wait_ms = pause.as_millis();
                tracing::warn!(%verb, object = %subject, tries, wait_ms, why, "kubernetes did not \
                    answer well");
            }
            last = Some(why);
            sleep(pause).await;
        }
    }

    /// Whether the call would write while the fence is closed.
    fn is_fenced(&self, verb: Verb) -> bool {
        match verb {
            Verb::Patch | Verb::Delete => self.fence.as_ref().is_some_and(|fence| !fence.is_open()),
            Verb::Get
            | Verb::GetMetadata
            | Verb::List
            | Verb::ListMetadata
            | Verb::Watch
            | Verb::Review => false,
        }
    }

    async fn once(&self, call: &ApiCall<'_>, deadline: Instant) -> Result<WipedBytes, Error> {
        let request = call.request()?;
        // Nobody closes the semaphore; without a permit, the call would only be one more at once.
        let _turn = self.turns.acquire().await;
        if self.is_fenced(call.verb) {
            return Err(Error::Fenced(call.subject.clone()));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let time_limit = left.min(ONE_TRY);
        let unavailable = |why: String| Error::Unavailable {
            subject: call.subject.clone(),
            verb: call.verb.to_string(),
            why,
            wait: None,
            tries: 1,
        };
        let counted = counters::ApiRequest::new(call.verb.word());
        let exchange = async {
            let answer = self.client.send(request).await;
            let answer = answer.map_err(|error| sending(call, &self.server, error))?;
            let (code, asked) = (answer.status(), asked_wait(&answer));
            counted.answered(code.as_u16());
            let body = collect(call, answer.into_body()).await?;
            if code.is_success() {
                Ok(body)
            } else {
                Err(status::refusal(call, code.as_u16(), &body, asked))
            }
        };
        let outcome = match timeout(time_limit, exchange).await {
            Ok(outcome) => outcome,
            Err(_) if left.is_zero() => Err(unavailable("the deadline is spent".into())),
            Err(_) => Err(unavailable(format!(
                "no answer within {time_limit:.1?} from {}",
                self.server
            ))),
        };
        counted.ended(outcome.is_ok());
        outcome
    }
}

pub(super) fn asked_wait(answer: &Response<kube::client::Body>) -> Option<Duration> {
    let value = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    retry::retry_after(value, jiff::Timestamp::now())
}

/// Without credentials no request can be sent; any other reason for not sending may pass.
pub(super) fn sending(call: &ApiCall<'_>, server: &str, error: kube::Error) -> Error {
    if let kube::Error::Auth(error) = &error {
        return Error::Credentials(super::connect::credentials(error));
    }
    if let kube::Error::Service(error) = &error
        && let Some(error) = error.downcast_ref::<kube::client::AuthError>()
    {
        return Error::Credentials(super::connect::credentials(error));
    }
    Error::Unavailable {
        subject: call.subject.clone(),
        verb: call.verb.to_string(),
        why: format!(
            "the API server {server} cannot be reached: {}",
            innermost(&error)
        ),
        wait: None,
        tries: 1,
    }
}

/// The last cause says everything; the causes above it only name the layers of the client.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

pub(super) async fn collect(
    call: &ApiCall<'_>,
    mut body: kube::client::Body,
) -> Result<WipedBytes, Error> {
    let mut whole = WipedBytes::with_capacity(16 << 10);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Unavailable {
            subject: call.subject.clone(),
            verb: call.verb.to_string(),
            why: format!("the answer broke off: {}", innermost(&error)),
            wait: None,
            tries: 1,
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let size = whole.len() + data.len();
        if size > LONGEST_ANSWER {
            return Err(call.strange(format!("more than {LONGEST_ANSWER} bytes")));
        }
        whole.write(&data);
    }
    Ok(whole)
}
