//! How long data is valid without another read, and what must be done before its end.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::artifact::secret;
use crate::base::failure::Failure;
use crate::base::material::{Lease, Material, Node};
use crate::base::renewal::{RenewalSchedule, RenewalTurn, backoff};
use crate::config::VaultRead;
use crate::process::time_limit::chance;
use crate::vault::{LONGEST, Renewal};

/// Waits between attempts to replace data that is still valid: the first, and the longest.
const TRIES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The shortest time between two requests for one lease.
const SHORTEST: Duration = Duration::from_millis(300);

/// A role whose time is over is read this many times, once a second, before the waits become
/// longer: engines check their roles every few seconds.
const LATE: u32 = 10;

/// How long data is valid without another read.
#[derive(Debug, Clone)]
pub(super) enum Freshness {
    /// Until it ends; it is renewed or replaced before.
    Ends(Lifetime),
    /// Until its version changes.
    Version {
        /// When it was read in full.
        read_at: Instant,
    },
    /// Until its source changes it, at a known time.
    Rotates {
        /// When it must be read again.
        at: Instant,
        /// How often it was read since that time without a change.
        late: u32,
    },
}

/// The lifetime of data that ends.
#[derive(Debug, Clone)]
pub(super) struct Lifetime {
    /// The lease to renew; a certificate has none.
    pub(super) lease: Option<Lease>,
    /// The token that it ends with.
    pub(super) token: Option<u64>,
    /// The token with which the last attempt to replace it failed.
    tried: u64,
    pub(super) end: Instant,
    schedule: RenewalSchedule,
    turn: RenewalTurn,
    /// When the next renewal or replacement is due.
    pub(super) at: Instant,
    errors: u32,
}

impl Freshness {
    /// The lifetime of data that was just read; `before` is the lifetime from its last read.
    pub(super) fn after_read(
        material: &Material,
        read: &VaultRead,
        since: Instant,
        token: u64,
        before: Option<&Self>,
    ) -> Option<Self> {
        if let Some(lease) = &material.lease {
            // Zero means data without an end of its lease, such as a token without a limit.
            let span = match lease.seconds {
                0 => Duration::from_secs(LONGEST),
                seconds => Duration::from_secs(seconds),
            };
            let lease = Some(lease.clone());
            return Some(Self::Ends(Lifetime::new(span, lease, Some(token), since)));
        }
        if read.write.is_some() {
            let span = certificate_left(material)?;
            return Some(Self::Ends(Lifetime::new(span, None, None, since)));
        }
        if let Some(left) = material.rotates_in {
            return Some(Self::rotates(left, since, before));
        }
        let watched = material.version.is_some() && read.version.is_none();
        watched.then_some(Self::Version { read_at: since })
    }

    fn rotates(left: u64, since: Instant, before: Option<&Self>) -> Self {
        let late = match (left, before) {
            (0, Some(Self::Rotates { late, .. })) => late + 1,
            (0, Some(Self::Ends(_) | Self::Version { .. }) | None) => 1,
            (_, _) => 0,
        };
        let more = match late {
            0 => TRIES.0.mul_f64(0.5 + chance()),
            late => backoff(TRIES.0, TRIES.1, late.saturating_sub(LATE), chance()),
        };
        Self::Rotates {
            at: since + Duration::from_secs(left) + more,
            late,
        }
    }
}

impl Lifetime {
    fn new(span: Duration, lease: Option<Lease>, token: Option<u64>, since: Instant) -> Self {
        let schedule = RenewalSchedule::new(span, chance());
        // An id without `/` is the accessor of a token: we may not renew its lease.
        let renewable = lease
            .as_ref()
            .is_some_and(|lease| lease.renewable && lease.id.contains('/'));
        let mut ends = Self {
            lease,
            token,
            tried: 0,
            end: since + span,
            schedule,
            turn: RenewalTurn::Replace,
            at: since,
            errors: 0,
        };
        ends.add(schedule.next(ends.left(), renewable));
        ends
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    fn add(&mut self, (turn, wait): (RenewalTurn, Duration)) {
        (self.turn, self.at) = (turn, Instant::now() + wait.max(SHORTEST));
    }

    /// Whether its token was replaced by this one, so that the data must be replaced too.
    pub(super) fn is_orphaned(&self, token: u64) -> bool {
        self.token.is_some_and(|own| own.max(self.tried) < token)
    }

    /// The lease to renew now; nothing if the data must be replaced instead.
    pub(super) fn to_renew(&self, token: u64) -> Option<&str> {
        let renews = self.turn == RenewalTurn::Renew && !self.is_orphaned(token);
        self.lease
            .as_ref()
            .filter(|_| renews)
            .map(|lease| lease.id.as_str())
    }

    /// Takes in the result of a renewal that began at `since`; says whether the data must be
    /// replaced now.
    pub(super) fn renewed(&mut self, renewal: Renewal, since: Instant, path: &str) -> bool {
        match renewal {
            Renewal::Granted { span, renewable } => {
                tracing::debug!(path, lease_s = span.as_secs(), "lease renewed");
                self.end = since + span;
                self.errors = 0;
                self.schedule.granted(span, chance());
                self.add(self.schedule.next(self.left(), renewable));
            }
            Renewal::Later(failure) => {
                self.errors += 1;
                let reason = &failure.what;
                match self.errors {
                    1 => tracing::warn!(path, reason, "lease not renewed yet"),
                    _ => tracing::debug!(path, reason, "lease still not renewed"),
                }
                self.add(
                    self.schedule
                        .after_error(self.left(), self.errors, chance()),
                );
            }
            Renewal::Refused(failure) => {
                tracing::info!(path, reason = %failure.what, "lease will be replaced");
                self.add(self.schedule.next(self.left(), false));
            }
            Renewal::Gone(failure) => {
                tracing::warn!(path, reason = %failure.what, "leased data is replaced at once");
                self.end = since;
                return true;
            }
        }
        false
    }

    /// The data could not be replaced and is still valid: plans the next attempt. `token` is the
    /// present token.
    pub(super) fn not_replaced(&mut self, token: u64, path: &str, failure: &Failure) {
        self.errors += 1;
        self.turn = RenewalTurn::Replace;
        self.at = Instant::now() + backoff(TRIES.0, TRIES.1, self.errors, chance());
        // The new token is tried again at the planned time, not at once.
        self.tried = token;
        let reason = &failure.what;
        match self.errors {
            1 => tracing::warn!(
                path,
                reason,
                "leased data not replaced yet, it is still good"
            ),
            _ => tracing::debug!(path, reason, "leased data still not replaced"),
        }
    }
}

/// Whether two answers for a static role contain the same credentials: only the remaining time may
/// differ.
pub(super) fn same_role(one: &Material, other: &Material) -> bool {
    fn lasting(material: &Material) -> Vec<&(String, Node)> {
        let entries = material
            .documents
            .iter()
            .flat_map(|document| match document {
                Node::Map(entries) => entries.as_slice(),
                Node::Null
                | Node::Bool(_)
                | Node::Number(_)
                | Node::Time(_)
                | Node::Text(_)
                | Node::List(_) => &[],
            });
        entries.filter(|(name, _)| name != "ttl").collect()
    }
    one.rotates_in.is_some() && other.rotates_in.is_some() && lasting(one) == lasting(other)
}

/// How long the certificate in an answer of a PKI engine is still valid.
fn certificate_left(material: &Material) -> Option<Duration> {
    let certificate = |document: &Node| document.entry("certificate").and_then(Node::leaf);
    let pem = material.documents.iter().find_map(certificate)?;
    let (_, end) = secret::validity(pem.expose())?;
    let left = end.duration_since(jiff::Timestamp::now());
    let left = Duration::try_from(left)
        .ok()
        .filter(|left| !left.is_zero())?;
    Some(left.min(Duration::from_secs(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Class;
    use crate::base::material::SecretBytes;

    #[test]
    fn row_153_a_lease_that_is_gone_is_replaced_now_and_holds_no_longer() {
        let since = Instant::now();
        let hour = Duration::from_secs(3600);
        let lease = Lease {
            id: "db/creds/x/1".to_owned(),
            seconds: 3600,
            renewable: true,
        };
        let failure = || Failure::new(Class::Missing, "gone");
        let rows: [(Renewal, bool, bool); 4] = [
            (Renewal::Gone(failure()), true, false),
            (Renewal::Refused(failure()), false, true),
            (Renewal::Later(failure()), false, true),
            (
                Renewal::Granted {
                    span: hour,
                    renewable: true,
                },
                false,
                true,
            ),
        ];
        for (renewal, replaces, holds) in rows {
            let mut ends = Lifetime::new(hour, Some(lease.clone()), Some(1), since);
            let what = format!("{renewal:?}");
            assert_eq!(
                ends.renewed(renewal, since, "db/creds/x"),
                replaces,
                "{what}"
            );
            assert_eq!(ends.end > Instant::now(), holds, "{what}");
        }
    }

    #[test]
    fn row_151_a_role_is_read_after_its_time_and_then_each_second_before_ever_more_seldom() {
        let role = |password: &str, ttl: u64| Material {
            rotates_in: Some(ttl),
            ..Material::unversioned(Node::Map(vec![
                ("password".to_owned(), Node::text(password)),
                (
                    "ttl".to_owned(),
                    Node::Number(SecretBytes::from(ttl.to_string())),
                ),
            ]))
        };
        assert!(same_role(&role("a", 9), &role("a", 2)));
        assert!(!same_role(&role("a", 9), &role("b", 9)));
        let since = Instant::now();
        let mut before = None;
        // Each row: the remaining time in an answer; seconds until the next read, at least and at
        // most.
        let rows = [(60, 60, 62), (0, 0, 2), (0, 0, 2), (5, 5, 7)];
        for (ttl, least, most) in rows {
            let life = Freshness::rotates(ttl, since, before.as_ref());
            let Freshness::Rotates { at, .. } = life else {
                panic!("{life:?}");
            };
            let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
            assert!(
                at > since + least && at < since + most,
                "{ttl}: {:?}",
                at - since
            );
            before = Some(life);
        }
        let late = Some(Freshness::Rotates {
            at: since,
            late: 1000,
        });
        let Freshness::Rotates { at, .. } = Freshness::rotates(0, since, late.as_ref()) else {
            panic!("another life");
        };
        assert!(at > since + Duration::from_secs(100));
    }
}
