//! Renewal of leased data.

use std::time::Duration;

use zeroize::Zeroizing;

use super::Session;
use super::endpoint::Own;
use super::error::{Cause, RequestEnd};
use super::failure_reasons::Absence;
use crate::base::counters;
use crate::base::failure::Failure;
use crate::net::Call;

/// The result of a renewal.
#[derive(Debug)]
pub enum Renewal {
    /// It was granted; the time counts from now.
    Granted {
        /// For how long.
        span: Duration,
        /// Whether another renewal is possible later.
        renewable: bool,
    },
    /// It failed now; another attempt may succeed.
    Later(Failure),
    /// It will never succeed: the data must be replaced before it ends.
    Refused(Failure),
    /// The lease does not exist any more: the data must be replaced at once.
    Gone(Failure),
}

impl Session {
    /// Renews a lease.
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
        let call = Call::from_endpoint(&Own::write("sys/leases/renew", body.as_bytes()))?;
        let token = access.token().await?;
        // Not through `ask`: a refusal here is about the lease, and no reason for another token.
        let reply = access.link.once(&call, Some(&token), &[]).await?;
        counters::VAULT_RENEWALS.count();
        Ok(Renewal::Granted {
            span: Duration::from_secs(reply.lease_seconds),
            renewable: reply.lease.is_some_and(|lease| lease.renewable),
        })
    }
}
