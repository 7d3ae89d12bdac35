//! One pass from declaration to effect. Every mode calls this and nothing else.
//!
//! Each delivery is handled by itself from its sources to its targets, as soon as these have
//! answered: a delivery with a slow or broken source delays no other. Only deliveries that may have
//! the same place are decided together ([`observe::together`]).

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::base::artifact::{Desired, Wanted};
use crate::base::failure::Failure;
use crate::base::history::{Hold, Journal};
use crate::base::material::Material;
use crate::config::{Config, Delivery, From, ManifestSet, Target, resolve};
use crate::copy_rules::metadata::NamespaceMetadata;
use crate::copy_rules::signature::Keys;
use crate::pass::apply::{self, Applied};
use crate::pass::history;
use crate::pass::observe;
use crate::pass::source::{self, Reads};
use crate::pass::world::World;
use crate::plan::declared_copies;
use crate::plan::{self, Claims, DeliveryPlan, OwedReaction, Plan, prune};
use crate::process::memory;
use crate::process::shutdown;
use crate::render;
use crate::render::fetched::Fetched;

/// What the deliveries of one pass share.
struct Pass<'a> {
    config: &'a Config,
    world: &'a World,
    now: Timestamp,
    reads: Reads<'a>,
    claims: Claims,
    namespaces: OnceCell<Result<Vec<NamespaceMetadata>, Failure>>,
    keys: OnceCell<Result<Option<Keys>, Failure>>,
    /// Whether the decisions are carried out; otherwise nothing is written.
    writes: bool,
}

impl<'a> Pass<'a> {
    fn new(config: &'a Config, world: &'a World, now: Timestamp, writes: bool) -> Self {
        Self {
            config,
            world,
            now,
            reads: Reads::new(config, world),
            claims: Claims::default(),
            namespaces: OnceCell::new(),
            keys: OnceCell::new(),
            writes,
        }
    }

    /// The keys that sign copies, read when first needed; nothing if copies are not signed.
    async fn keys(&self) -> &Result<Option<Keys>, Failure> {
        let read = async || {
            let Some(at) = &self.config.mark_key else {
                return Ok(None);
            };
            let cluster = self.world.kubernetes().await?;
            let at = resolve(at, &cluster.namespace);
            let keys = match self.writes {
                true => cluster.mark_keys_or_new(&at).await?,
                false => cluster.mark_keys_to_plan(&at).await?,
            };
            Ok(Some(keys))
        };
        self.keys.get_or_init(read).await
    }

    /// The same, if the keys were needed already.
    fn known_keys(&self) -> Option<&Keys> {
        self.keys.get()?.as_ref().ok()?.as_ref()
    }

    /// The artifacts of a delivery, with the copies that it declares.
    async fn wanted(&self, delivery: &Delivery, fetched: &Fetched) -> Wanted {
        let named = |target: &Target| match target {
            Target::Secret(secret) => secret.at.namespace.is_some(),
            Target::File(_) | Target::Files(_) => true,
        };
        // Needed only if some target leaves its namespace out.
        let namespace = match delivery.to.iter().all(named) {
            true => Ok(String::new()),
            false => own_namespace(self.world).await,
        };
        // The rendered values are as large as the fetched ones, or a little larger.
        let wanted = match memory::reserve(fetched.weight()) {
            Ok(_taken) => render::wanted(self.config, delivery, fetched, &namespace, self.now),
            Err(full) => refused(delivery, full),
        };
        let wanted = match memory::check() {
            Err(full) if wanted.artifacts.is_ok() => refused(delivery, full),
            Ok(()) | Err(_) => wanted,
        };
        let wanted = match declared_copies::needs_namespaces(delivery) {
            false => declared_copies::expand(delivery, wanted, &Ok(Vec::new())),
            true => {
                let list = || observe::namespace::list(self.world);
                declared_copies::expand(delivery, wanted, self.namespaces.get_or_init(list).await)
            }
        };
        match declared_copies::has_copies(delivery) {
            true => self.signed(wanted).await,
            false => wanted,
        }
    }

    async fn signed(&self, mut wanted: Wanted) -> Wanted {
        match self.keys().await {
            // Not the time when the pass began: it may have waited for the sources.
            Ok(Some(keys)) => {
                declared_copies::sign(&mut wanted, keys, Timestamp::now().as_second())
            }
            Ok(None) => {}
            Err(failure) => wanted.artifacts = wanted.artifacts.and(Err(failure.clone())),
        }
        wanted
    }

    /// What manifests describe. All of them are read together: if two describe the same object,
    /// both have a mistake.
    async fn described(&self) -> Vec<Wanted> {
        let sets = &self.config.manifests;
        if sets.iter().all(|set| set.files.is_empty()) {
            return Vec::new();
        }
        let fetched = self.reads.of_manifests().await;
        let own = own_namespace(self.world).await;
        render::described(self.config, &fetched, &own, Timestamp::now())
    }

    /// Sources and plans of the deliveries in one group.
    async fn decided(&self, group: &[usize]) -> Vec<(Had, DeliveryPlan)> {
        let made = group.iter().map(|number| async {
            let delivery = &self.config.deliveries[*number];
            match history::read(delivery, self.world).await {
                Ok(journal) => {
                    let hold = journal.as_ref().and_then(|journal| journal.held.as_ref());
                    let fetched = self.reads.read_sources(delivery, hold).await;
                    let wanted = self.wanted(delivery, &fetched).await;
                    (Had { fetched, journal }, wanted)
                }
                Err(failure) => (Had::nothing(delivery, &failure), refused(delivery, failure)),
            }
        });
        let (had, wanted): (Vec<Had>, _) = join_all(made).await.into_iter().unzip();
        let plans = self.decide(wanted).await;
        let both = had.into_iter().zip(plans);
        both.map(|(had, mut plan)| {
            let held = had
                .journal
                .as_ref()
                .and_then(|journal| journal.held.as_ref());
            plan.held = held.map(Hold::to_string);
            (had, plan)
        })
        .collect()
    }

    async fn decide(&self, deliveries: Vec<Wanted>) -> Vec<DeliveryPlan> {
        let desired = Desired { deliveries };
        let mut observed = observe::observe(&desired, self.world).await;
        if let Some(keys) = self.known_keys() {
            for (wanted, seen) in desired.deliveries.iter().zip(&mut observed) {
                declared_copies::judge_all(wanted, seen, keys);
            }
        }
        plan::group(desired, observed, &self.claims).deliveries
    }

    /// Applies a plan: the last step, which `plan` leaves out.
    async fn apply(&self, plan: &DeliveryPlan) -> Vec<Result<(), Failure>> {
        match &plan.steps {
            Ok(steps) if self.writes => apply::delivery(steps, self.known_keys(), self.world).await,
            Ok(_) | Err(_) => Vec::new(),
        }
    }
}

/// The input for the decision about a delivery.
struct Had {
    fetched: Fetched,
    /// Nothing if the delivery keeps no history.
    journal: Option<Journal>,
}

impl Had {
    /// For a delivery whose sources were not read, for this reason.
    fn nothing(delivery: &Delivery, why: &Failure) -> Self {
        let unread = |from: &From| (from.source.clone(), Err::<Material, _>(why.clone()));
        Self {
            fetched: Fetched::from_parts(delivery.from.iter().map(unread)),
            journal: None,
        }
    }
}

fn refused(delivery: &Delivery, why: impl Into<Failure>) -> Wanted {
    Wanted {
        delivery: delivery.name.clone(),
        artifacts: Err(why.into()),
    }
}

/// Fetches, renders, observes and decides: the pass without its last step.
pub async fn plan(config: &Config, world: &World, now: Timestamp) -> Plan {
    let pass = Pass::new(config, world, now, false);
    through(&pass, &Before::NOBODY).await.0.plan
}

/// Calls `each` for every group of deliveries that may have the same place; the result is in the
/// order of the deliveries. A group that waits for its turn needs no memory yet.
async fn grouped<T>(pass: &Pass<'_>, each: impl AsyncFn(&[usize]) -> Vec<T>) -> Vec<T> {
    let groups = observe::together(&pass.config.deliveries).await;
    let made = groups.iter().map(async |group| {
        let _turn = pass.world.turns.wait_for_turn().await;
        let made = Box::pin(each(group)).await;
        group.iter().copied().zip(made)
    });
    let made: BTreeMap<usize, T> = join_all(made).await.into_iter().flatten().collect();
    made.into_values().collect()
}

/// Objects that once came from manifests, or were declared as copies, and must be deleted. The
/// existing objects are listed after all sources were read: an object that is not in the files was
/// therefore taken out of them.
async fn pruned(pass: &Pass<'_>, plans: &[DeliveryPlan]) -> Vec<DeliveryPlan> {
    let Pass { config, world, .. } = *pass;
    let prunes = |set: &ManifestSet| set.pruned().is_some();
    let copies = config
        .deliveries
        .iter()
        .any(|delivery| !declared_copies::pruned(delivery, "").is_empty());
    if !copies && !config.manifests.iter().any(prunes) {
        return Vec::new();
    }
    let Some(kept) = prune::wanted_secrets(plans) else {
        match world.time_limit.stays() {
            // The unreadable source is reported once; this message follows from it at each pass.
            true => tracing::debug!("nothing is pruned in this pass: not everything could be read"),
            false => tracing::warn!("nothing is pruned in this pass: not everything could be read"),
        }
        return Vec::new();
    };
    let needed = copies || config.manifests.iter().any(|set| !set.files.is_empty());
    let namespace = match needed {
        true => own_namespace(world).await,
        false => Ok(String::new()),
    };
    let keys = match copies {
        true => pass.keys().await,
        false => &Ok(None),
    };
    let marked = observe::marked_secrets::look(config, &namespace, keys, world).await;
    prune::plan(&kept, marked, world.allow_deletes)
}

async fn own_namespace(world: &World) -> Result<String, Failure> {
    world
        .kubernetes()
        .await
        .map(|cluster| cluster.namespace.clone())
}

/// The whole pass.
pub async fn run(config: &Config, world: &World, now: Timestamp) -> Applied {
    run_asking(config, world, now, &Before::NOBODY).await.0
}

/// Questions to the caller before a delivery is applied, once its sources are read.
pub struct Before<'a> {
    /// Gets the reactions that will be owed, and stores them before anything is changed.
    pub note: &'a dyn Fn(Vec<OwedReaction>) -> LocalBoxFuture<'a, ()>,
    /// Whether the changes of a delivery of this name have to wait.
    pub waits: &'a dyn Fn(&str) -> bool,
}

impl Before<'_> {
    const NOBODY: Before<'static> = Before {
        note: &|_| std::future::ready(()).boxed_local(),
        waits: &|_| false,
    };

    fn hold(&self, plan: &mut DeliveryPlan) {
        if plan.has_changes() && (self.waits)(&plan.delivery) {
            plan.hold();
        }
    }
}

/// The whole pass, with questions to the caller before anything is changed.
pub async fn run_asking(
    config: &Config,
    world: &World,
    now: Timestamp,
    before: &Before<'_>,
) -> (Applied, Vec<OwedReaction>) {
    through(&Pass::new(config, world, now, true), before).await
}

async fn through(pass: &Pass<'_>, before: &Before<'_>) -> (Applied, Vec<OwedReaction>) {
    let ways = grouped(pass, async |group| deliver(group, pass, before).await);
    let mut applied = Applied {
        plan: Plan {
            deliveries: Vec::new(),
            reflector: None,
        },
        results: Vec::new(),
    };
    let mut owed = Vec::new();
    let (ways, described) = tokio::join!(ways, describe(pass, before));
    for way in ways.into_iter().chain(described) {
        applied.plan.deliveries.push(way.plan);
        applied.results.push(way.results);
        owed.extend(way.owed);
    }
    // Deletions come last: a reader of a renamed Secret finds the new one before the old one is
    // deleted.
    let waiting = applied.plan.deliveries.iter().any(DeliveryPlan::waits);
    for mut pruned in pruned(pass, &applied.plan.deliveries).await {
        match waiting {
            true => pruned.hold(),
            false => before.hold(&mut pruned),
        }
        applied.results.push(pass.apply(&pruned).await);
        applied.plan.deliveries.push(pruned);
    }
    if pass.writes {
        apply::delete_all(&applied.plan, &mut applied.results, pass.world).await;
    }
    (applied, owed)
}

/// The result of one delivery.
struct Way {
    plan: DeliveryPlan,
    results: Vec<Result<(), Failure>>,
    owed: Vec<OwedReaction>,
}

async fn deliver(group: &[usize], pass: &Pass<'_>, before: &Before<'_>) -> Vec<Way> {
    let deliveries = group.iter().map(|number| &pass.config.deliveries[*number]);
    let decided = tokio::select! {
        biased;
        // Reading is stopped at once: it cannot leave anything half done.
        () = pass.world.shutdown.asked() => {
            return deliveries.map(|delivery| stopped(&delivery.name)).collect();
        }
        decided = pass.decided(group) => decided,
    };
    let ways = deliveries.zip(decided);
    let ways = ways.map(|(delivery, (had, plan))| way(delivery, had, plan, pass, before));
    join_all(ways).await
}

async fn way(
    delivery: &Delivery,
    Had { fetched, journal }: Had,
    mut plan: DeliveryPlan,
    pass: &Pass<'_>,
    before: &Before<'_>,
) -> Way {
    let world = pass.world;
    before.hold(&mut plan);
    if let Some(journal) = &journal
        && pass.writes
        && plan.has_changes()
        && let Err(failure) = history::check(delivery, journal, world).await
    {
        plan.steps = Err(failure);
    }
    let owed = plan::reactions(delivery, &plan, &fetched);
    if !owed.is_empty() {
        (before.note)(owed.clone()).await;
    }
    let leases = source::vault::leases(delivery, &fetched, world);
    let results = match &plan.steps {
        Ok(steps) if pass.writes && !steps.is_empty() => {
            // This comes before the write: an interrupted write may have delivered the data.
            leases.iter().for_each(|session| session.outlive());
            let mut results = pass.apply(&plan).await;
            if results.iter().all(Result::is_err) {
                leases.iter().for_each(|session| session.let_go());
            }
            if let Some(journal) = journal {
                let done = (&plan, results.as_slice());
                let noted = history::record(delivery, done, &fetched, journal, world).await;
                // The journal is beside the first target.
                if let (Err(failure), Some(first)) = (noted, results.first_mut()) {
                    *first = std::mem::replace(first, Ok(())).and(Err(failure));
                }
            }
            results
        }
        Ok(_) | Err(_) => Vec::new(),
    };
    plan.forget_values(!pass.writes);
    Way {
        plan,
        results,
        owed,
    }
}

/// The results of the objects that manifests describe.
async fn describe(pass: &Pass<'_>, before: &Before<'_>) -> Vec<Way> {
    let world = pass.world;
    let decided = async { pass.decide(pass.described().await).await };
    let plans = tokio::select! {
        biased;
        () = world.shutdown.asked() => return vec![stopped("manifests")],
        plans = decided => plans,
    };
    let ways = plans.into_iter().map(|mut plan| async {
        before.hold(&mut plan);
        let results = pass.apply(&plan).await;
        plan.forget_values(!pass.writes);
        Way {
            plan,
            results,
            owed: Vec::new(),
        }
    });
    join_all(ways).await
}

fn stopped(delivery: &str) -> Way {
    Way {
        plan: DeliveryPlan {
            delivery: delivery.to_owned(),
            held: None,
            steps: Err(shutdown::stopped()),
        },
        results: Vec::new(),
        owed: Vec::new(),
    }
}
