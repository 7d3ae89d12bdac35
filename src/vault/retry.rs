//! The only retry layer: full jitter, a server's `Retry-After` within bounds, and an end at the
//! deadline.
//!
//! Nothing beneath retries by itself, except the connection pool, which sends again only what was
//! never written.

use tokio::time::Instant;

use super::error::Cause;
use crate::net::NetError;
use crate::process::progress::not_yet;
use crate::process::time_limit::{TimeLimit, retry};

/// Counts the attempts of one request and waits between them.
pub(super) struct Pace {
    server: String,
    time_limit: TimeLimit,
    /// Whether to wait for things that others must still correct.
    waits: bool,
    deadline: Instant,
    tries: u32,
    last: Option<Cause>,
}

impl Pace {
    pub(super) fn new(server: &str, time_limit: TimeLimit, waits: bool) -> Self {
        Self {
            server: server.to_owned(),
            time_limit,
            waits,
            deadline: time_limit.deadline(),
            tries: 0,
            last: None,
        }
    }

    /// Waits before the next attempt; gives up with this cause if the attempt would come too late.
    pub(super) async fn pause(&mut self, cause: Cause) -> Result<(), Cause> {
        self.tries += 1;
        if self.time_limit.stays() || (cause.is_mistake() && !self.waits) {
            return Err(cause);
        }
        let wait = retry::pause(self.tries, cause.asked_wait());
        let now = Instant::now();
        let cause = match (&cause, self.last.take()) {
            (Cause::Net(NetError::Late { .. }), Some(last)) => last,
            _ => cause,
        };
        if now + wait >= self.deadline {
            return Err(Cause::Spent {
                tries: self.tries,
                last: Box::new(cause),
            });
        }
        if self.tries.is_power_of_two() {
            tracing::warn!(
                tries = self.tries,
                wait_ms = wait.as_millis(),
                "vault did not answer well: {cause}"
            );
        }
        not_yet(&self.server, &cause.to_string());
        self.last = Some(cause);
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::failure_reasons::Outage;
    use super::*;

    #[tokio::test]
    async fn waiting_ends_before_the_deadline_with_the_last_cause() {
        let deadline = Instant::now() + Duration::from_millis(300);
        let mut pace = Pace::new("v", deadline.into(), false);
        let gave_up = loop {
            if let Err(cause) = pace.pause(Outage::Sealed.into()).await {
                break cause;
            }
        };
        assert!(Instant::now() < deadline);
        let Cause::Spent { tries, last } = gave_up else {
            panic!("must be spent: {gave_up}");
        };
        assert!(tries > 1 && matches!(*last, Cause::Trouble(Outage::Sealed)));
    }
}
