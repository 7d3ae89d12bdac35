//! Changes that wait for their window, and changes that may not wait: delivered data that ends
//! before the window opens is replaced at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::base::lock::locked;
use crate::base::material::Material;
use crate::config::VaultRead;
use crate::pass::world::World;

/// The changes of one group that wait.
#[derive(Debug, Default)]
pub struct WindowHold {
    /// When the window opens for the waiting changes of a delivery.
    opens: Mutex<BTreeMap<String, Timestamp>>,
    /// Delivered data of all groups that ends: it is in use, whatever the configuration says by
    /// now.
    delivered: Arc<Mutex<Delivered>>,
}

/// By delivery and source.
type Delivered = BTreeMap<(String, VaultRead), Ending>;

/// Delivered data that ends.
#[derive(Debug, Clone)]
struct Ending {
    mark: Weak<Material>,
    end: Instant,
    token: Option<u64>,
}

impl Ending {
    fn for_read(read: &VaultRead, world: &World) -> Option<Self> {
        let (mark, end, token) = world.lease_cache.as_ref()?.ending(read)?;
        Some(Self { mark, end, token })
    }
}

impl WindowHold {
    /// The same for another group, or for this group in another configuration.
    #[must_use]
    pub fn for_another_group(&self) -> Self {
        Self {
            opens: Mutex::default(),
            delivered: Arc::clone(&self.delivered),
        }
    }

    /// A pass begins: no change waits any more.
    pub fn begin_pass(&self, world: &World) {
        self.renewed(world);
        locked(&self.opens).clear();
    }

    /// Call this before the cache is asked for data: renewed data ends later now.
    pub fn renewed(&self, world: &World) {
        for ((_, read), ending) in locked(&self.delivered).iter_mut() {
            if let Some(now) =
                Ending::for_read(read, world).filter(|now| now.mark.ptr_eq(&ending.mark))
            {
                *ending = now;
            }
        }
    }

    /// All data of a delivery is in place.
    pub fn delivered<'r>(
        &self,
        delivery: &str,
        reads: impl Iterator<Item = &'r VaultRead>,
        world: &World,
    ) {
        let mut delivered = locked(&self.delivered);
        delivered.retain(|(of, _), _| of != delivery);
        for read in reads {
            if let Some(ending) = Ending::for_read(read, world) {
                let at = (delivery.to_owned(), read.clone());
                delivered.insert(at, ending);
            }
        }
    }

    /// Whether delivered data ends with a token of a server that is older than this one.
    pub fn depends_on(&self, server: &str, older_than: u64) -> bool {
        let now = Instant::now();
        let delivered = locked(&self.delivered);
        delivered.iter().any(|((_, read), ending)| {
            let older = ending.token.is_some_and(|token| token < older_than);
            read.server == server && older && ending.end > now
        })
    }

    /// When the first data of a delivery ends.
    pub fn first_end(&self, delivery: &str) -> Option<Instant> {
        let delivered = locked(&self.delivered);
        let own = delivered.iter().filter(|((of, _), _)| of == delivery);
        own.map(|(_, ending)| ending.end).min()
    }

    /// Whether changes of a delivery wait until a window opens: not if the delivered data was
    /// replaced and ends before then.
    pub fn hold(&self, delivery: &str, opens: Timestamp, world: &World) -> bool {
        let wait = Duration::try_from(opens.duration_since(Timestamp::now())).unwrap_or_default();
        let at = Instant::now() + wait;
        let delivered = locked(&self.delivered);
        let mut own = delivered.iter().filter(|((of, _), _)| of == delivery);
        let ends = own.any(|((_, read), ending)| {
            let same = |now: Ending| now.mark.ptr_eq(&ending.mark);
            // Data ends with its token, whatever its lease says.
            let orphaned = ending.token.is_some_and(|token| {
                let session = world.vault(&read.server);
                session.is_ok_and(|session| session.generation() > token)
            });
            !Ending::for_read(read, world).is_some_and(same) && (orphaned || ending.end <= at)
        });
        if !ends {
            locked(&self.opens).insert(delivery.to_owned(), opens);
        }
        !ends
    }

    /// How long nothing has to be done for waiting changes; nothing if no change waits.
    pub fn left(&self) -> Option<Duration> {
        let opens = locked(&self.opens).values().min().copied()?;
        let left = opens.duration_since(Timestamp::now());
        // A moment more, so that the window is certainly open.
        Some(Duration::try_from(left).unwrap_or_default() + Duration::from_millis(2))
    }

    /// When the window opens for the waiting changes of a delivery.
    pub fn opens(&self, delivery: &str) -> Option<Timestamp> {
        locked(&self.opens).get(delivery).copied()
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;
    use crate::config::load::of_text;
    use crate::config::{Config, Source};

    fn config() -> Config {
        let text = "vault: {address: 'http://127.0.0.1:1', auth: {token: \
            {file: t}}}\ndeliveries: [{name: app, from: [{vault: pki/issue/web, write: \
            {a: b}}], to: [{file: {path: a.env}}]}]\n";
        of_text(text)
    }

    #[test]
    fn what_was_replaced_waits_only_if_what_is_in_use_lasts_until_the_window() {
        let config = config();
        let world = World::staying(&config, None, Duration::from_secs(1));
        let Source::Vault(read) = &config.deliveries[0].from[0].source else {
            panic!("another source");
        };
        // Each row: seconds until the delivered data ends, its token, seconds until the window
        // opens; then whether it waits.
        let rows = [
            (None, 3600, true),
            (Some((100, None)), 50, true),
            (Some((100, None)), 150, false),
            (Some((0, None)), 50, false),
            // Every token of this process is older than that, so this token is in use.
            (Some((100, Some(7))), 50, true),
            (Some((100, Some(7))), 150, false),
        ];
        for (delivered, opens, want) in rows {
            let waits = WindowHold::default();
            if let Some((end, token)) = delivered {
                let ending = Ending {
                    mark: Weak::new(),
                    end: Instant::now() + Duration::from_secs(end),
                    token,
                };
                let at = ("app".to_owned(), read.clone());
                locked(&waits.delivered).insert(at, ending);
            }
            let at = Timestamp::now() + i64::from(opens).seconds();
            assert_eq!(waits.hold("app", at, &world), want, "{delivered:?} {opens}");
            assert_eq!(waits.opens("app"), want.then_some(at));
            assert_eq!(waits.left().is_some(), want);
            waits.begin_pass(&world);
            assert_eq!(waits.left(), None);
            // Another configuration is taken.
            assert_eq!(waits.for_another_group().hold("app", at, &world), want);
        }
    }
}
