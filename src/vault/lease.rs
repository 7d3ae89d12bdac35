//! More time for leased data.

use std::time::Duration;

use zeroize::Zeroizing;

use super::Session;
use super::endpoint::Own;
use super::error::{Cause, RequestEnd};
use super::reasons::Absence;
use crate::base::counters;
use crate::base::failure::Failure;
use crate::net::Call;

/// What came of asking for more time.
#[derive(Debug)]
pub enum Renewal {
    /// It was granted, from now on.
    Granted {
        /// How much.
        span: Duration,
        /// Whether more can be asked for later.
        renewable: bool,
    },
    /// Not now; another try may do.
    Later(Failure),
    /// Never: other data must be had before this ends.
    Refused(Failure),
    /// The lease is no more: other data must be had at once.
    Gone(Failure),
}

impl Session {
    /// Asks for more time for a lease.
    pub async fn renew_lease(&self, id: &str) -> Renewal {
        let failure = |cause: Cause| {
            let what = format!("vault `{}`: cannot renew a lease", self.server);
            let class = cause.class();
            let mut failure = Failure::new(class, format!("{what}: {cause}"));
            failure.hint = cause.hint();
            failure
        };
        match self.ask_for_more(id).await {
            Ok(renewal) => renewal,
            Err(RequestEnd::Login(cause)) => Renewal::Later(failure(cause)),
            Err(RequestEnd::Read(cause)) if cause.is_passing() => Renewal::Later(failure(cause)),
            Err(RequestEnd::Read(cause @ Cause::Absence(Absence::Lease))) => {
                Renewal::Gone(failure(cause))
            }
            Err(RequestEnd::Read(cause)) => Renewal::Refused(failure(cause)),
        }
    }

    async fn ask_for_more(&self, id: &str) -> Result<Renewal, RequestEnd> {
        let access = self.access.as_ref().map_err(Cause::clone)?;
        let body = Zeroizing::new(serde_json::json!({"lease_id": id}).to_string());
        let call = Call::of(&Own::write("sys/leases/renew", body.as_bytes()))?;
        let token = access.token().await?;
        // Not through `ask`: a refusal is the lease's, and no reason to look for another token.
        let reply = access.link.once(&call, Some(&token), &[]).await?;
        counters::VAULT_RENEWALS.count();
        Ok(Renewal::Granted {
            span: Duration::from_secs(reply.lease_seconds),
            renewable: reply.lease.is_some_and(|lease| lease.renewable),
        })
    }
}
