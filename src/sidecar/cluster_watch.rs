//! Notices in a cluster that a source changed, or that a namespace came or changed: then a pass is
//! due at once. It reads metadata only.
//!
//! It needs `list` and `watch`; without these rights, the next pass comes at its usual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config::{Delivery, SecretRef, resolve};
use crate::copy_rules::metadata::{Metadata, NamespaceMetadata};
use crate::copy_rules::place::ResourceVersion;
use crate::copy_rules::selector::Labels;
use crate::kubernetes::ObjectKind;
use crate::pass::world::World;
use crate::plan::declared_copies;
use crate::reflector::{Follow, KindView, Versioned};

/// How long more changes are collected: setting up a cluster makes many namespaces at once.
const GATHER: Duration = Duration::from_millis(200);

/// The objects of a cluster that deliveries depend on.
pub struct Followed {
    changed: Arc<Notify>,
    /// The watches, which end when this is dropped.
    _watches: JoinSet<()>,
}

impl Followed {
    /// Follows the objects that these deliveries depend on; nothing if there are none, or no
    /// cluster.
    pub async fn start<'d>(
        deliveries: impl Iterator<Item = &'d Delivery> + Clone,
        world: &World,
    ) -> Self {
        let changed = Arc::new(Notify::new());
        let mut watches = JoinSet::new();
        let sources = deliveries.clone().flat_map(|delivery| &delivery.from);
        let mut secrets: Vec<&SecretRef> =
            sources.filter_map(|from| from.source.secret()).collect();
        secrets.sort();
        secrets.dedup();
        let namespaces = deliveries.clone().any(declared_copies::needs_namespaces);
        if (namespaces || !secrets.is_empty())
            && let Ok(cluster) = world.kubernetes().await
        {
            let changed = || Arc::clone(&changed);
            if namespaces {
                let follow = Follow::new(cluster, ObjectKind::Namespace, None, None);
                watches.spawn(wake_on_change(follow, of_namespace, changed()));
            }
            for at in secrets {
                let at = resolve(at, &cluster.namespace);
                let follow = Follow::new(
                    cluster,
                    ObjectKind::Secret,
                    Some(&at.namespace),
                    Some(&at.name),
                );
                watches.spawn(wake_on_change(follow, of_secret, changed()));
            }
        }
        Self {
            changed,
            _watches: watches,
        }
    }

    /// Waits until something has changed since the last wait.
    pub async fn change(&self) {
        self.changed.notified().await;
        sleep(GATHER).await;
    }
}

/// The facts that can change the result of a pass.
type Facts = (String, Labels, bool, ResourceVersion);

fn of_namespace(namespace: &NamespaceMetadata) -> Facts {
    let goes = namespace.ending || namespace.declines();
    let name = namespace.name.clone();
    (
        name,
        namespace.labels.clone(),
        goes,
        ResourceVersion::default(),
    )
}

fn of_secret(secret: &Metadata) -> Facts {
    let version = secret.resource_version;
    (secret.name.clone(), Labels::default(), false, version)
}

/// Follows objects, and wakes the waiting batch when facts change. The first list counts too: it
/// may be newer than the first pass.
async fn wake_on_change<T: DeserializeOwned + Versioned>(
    follow: Follow<T>,
    facts: fn(&T) -> Facts,
    changed: Arc<Notify>,
) {
    let (sender, mut seen) = mpsc::channel(16);
    let told = async {
        let mut known: BTreeMap<String, Facts> = BTreeMap::new();
        let mut list: BTreeMap<String, Facts> = BTreeMap::new();
        let named = |object: &T| {
            let facts = facts(object);
            (facts.0.clone(), facts)
        };
        while let Some(seen) = seen.recv().await {
            let differs = match seen {
                KindView::Begins => {
                    list.clear();
                    false
                }
                KindView::Part(part) => {
                    list.extend(part.iter().map(named));
                    false
                }
                KindView::Ends => {
                    let before = std::mem::replace(&mut known, std::mem::take(&mut list));
                    before != known
                }
                KindView::Is(object) => {
                    let (name, facts) = named(&object);
                    known.insert(name, facts.clone()) != Some(facts)
                }
                KindView::Gone(object) => known.remove(&named(&object).0).is_some(),
            };
            if differs {
                changed.notify_one();
            }
        }
    };
    tokio::join!(follow.run(sender), told);
}
