//! One pass from declaration to effect. Every mode calls this and nothing else.
//!
//! Each delivery goes its own way from its sources to its targets, as soon as these have answered: one whose source is slow
//! or broken holds up no other. Rules between deliveries, such as two outputs on one place, are the configuration's.

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::apply::{self, Applied};
use crate::artifact::Wanted;
use crate::config::{Config, Delivery, ManifestSet, Target};
use crate::fetched::Fetched;
use crate::halt;
use crate::observe;
use crate::plan::{self, DeliveryPlan, Ledger, Owed, Plan, prune};
use crate::reflect::declared;
use crate::reflect::metadata::NamespaceMetadata;
use crate::render;
use crate::report::Failure;
use crate::source::{self, Reads};
use crate::world::World;

/// What the deliveries of one pass share.
struct Pass<'a> {
    config: &'a Config,
    world: &'a World,
    now: Timestamp,
    reads: Reads<'a>,
    ledger: Ledger,
    namespaces: OnceCell<Result<Vec<NamespaceMetadata>, Failure>>,
}

impl<'a> Pass<'a> {
    fn new(config: &'a Config, world: &'a World, now: Timestamp) -> Self {
        Self {
            config,
            world,
            now,
            reads: Reads::new(config, world),
            ledger: Ledger::default(),
            namespaces: OnceCell::new(),
        }
    }

    /// What a delivery wants, with the copies that it declares.
    async fn wanted(&self, delivery: &Delivery, fetched: &Fetched) -> Wanted {
        let named = |target: &Target| match target {
            Target::Secret(secret) => secret.at.namespace.is_some(),
            Target::File(_) | Target::Files(_) => true,
        };
        // Asked for only when some target leaves its namespace out.
        let namespace = match delivery.to.iter().all(named) {
            true => Ok(String::new()),
            false => own_namespace(self.world).await,
        };
        let wanted = render::wanted(delivery, fetched, &namespace, self.now);
        match declared::needs_namespaces(delivery) {
            false => declared::expand(delivery, wanted, &Ok(Vec::new())),
            true => {
                let list = || observe::namespace::list(self.world);
                declared::expand(delivery, wanted, self.namespaces.get_or_init(list).await)
            }
        }
    }

    /// What manifests describe. They are read as a whole: what two of them describe is a mistake of both.
    async fn described(&self) -> Vec<Wanted> {
        let sets = &self.config.manifests;
        if sets.iter().all(|set| set.files.is_empty()) {
            return Vec::new();
        }
        let fetched = self
            .reads
            .these(sets.iter().flat_map(|set| &set.files))
            .await;
        render::described(self.config, &fetched, &own_namespace(self.world).await)
    }

    /// Of two outputs in one place that only a pass can tell, the second to come is refused.
    async fn decide(&self, wanted: Wanted) -> DeliveryPlan {
        let observed = observe::delivery(&wanted, self.world).await;
        let refused = self.ledger.enter(&wanted, &observed);
        plan::delivery(wanted, observed, &refused)
    }
}

/// Fetches, renders, looks and decides.
pub async fn plan(config: &Config, world: &World, now: Timestamp) -> Plan {
    let pass = &Pass::new(config, world, now);
    let delivered = config.deliveries.iter().map(|delivery| async move {
        let fetched = pass.reads.of(delivery).await;
        pass.decide(pass.wanted(delivery, &fetched).await).await
    });
    let described = async {
        let wanted = pass.described().await.into_iter();
        join_all(wanted.map(|wanted| pass.decide(wanted))).await
    };
    let (mut deliveries, described) = tokio::join!(join_all(delivered), described);
    deliveries.extend(described);
    let pruned = pruned(config, &deliveries, world).await;
    deliveries.extend(pruned);
    Plan { deliveries }
}

/// What came from manifests once and is to go. The list of what stands is made after all sources were read, so what is not
/// in the files is not there because it was taken out of them.
async fn pruned(config: &Config, plans: &[DeliveryPlan], world: &World) -> Vec<DeliveryPlan> {
    let prunes = |set: &ManifestSet| set.pruned().is_some();
    if !config.manifests.iter().any(prunes) {
        return Vec::new();
    }
    let Some(kept) = prune::kept(plans) else {
        tracing::warn!("nothing is pruned in this pass: not everything could be read");
        return Vec::new();
    };
    let namespace = match config.manifests.iter().any(|set| !set.files.is_empty()) {
        true => own_namespace(world).await,
        false => Ok(String::new()),
    };
    let marked = observe::marked::look(config, &namespace, world).await;
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
    run_noting(config, world, now, |_| ()).await.0
}

/// The whole pass, with a look at what each delivery will owe before anything of it is done.
pub async fn run_noting(
    config: &Config,
    world: &World,
    now: Timestamp,
    note: impl Fn(&[Owed]),
) -> (Applied, Vec<Owed>) {
    let (pass, note) = (&Pass::new(config, world, now), &note);
    let ways = config
        .deliveries
        .iter()
        .map(|delivery| deliver(delivery, pass, note));
    let mut applied = Applied {
        plan: Plan {
            deliveries: Vec::new(),
        },
        results: Vec::new(),
    };
    let mut owed = Vec::new();
    let (mut ways, described) = tokio::join!(join_all(ways), describe(pass));
    ways.extend(described);
    for way in ways {
        applied.plan.deliveries.push(way.plan);
        applied.results.push(way.results);
        owed.extend(way.owed);
    }
    // Last of all: whoever reads a Secret that was renamed finds the new one before the old one goes.
    for pruned in pruned(config, &applied.plan.deliveries, world).await {
        let steps = pruned.steps.as_deref().unwrap_or_default();
        applied.results.push(apply::delivery(steps, world).await);
        applied.plan.deliveries.push(pruned);
    }
    apply::delete_all(&applied.plan, &mut applied.results, world).await;
    (applied, owed)
}

/// What came of one delivery.
struct Way {
    plan: DeliveryPlan,
    results: Vec<Result<(), Failure>>,
    owed: Vec<Owed>,
}

async fn deliver(delivery: &Delivery, pass: &Pass<'_>, note: &impl Fn(&[Owed])) -> Way {
    let world = pass.world;
    let decided = async {
        let fetched = pass.reads.of(delivery).await;
        let wanted = pass.wanted(delivery, &fetched).await;
        (fetched, pass.decide(wanted).await)
    };
    let (fetched, plan) = tokio::select! {
        biased;
        // Reading is given up at once: nothing of it can be left in halves.
        () = world.halt.asked() => return stopped(&delivery.name),
        decided = decided => decided,
    };
    let owed = plan::owed(delivery, &plan, &fetched);
    if !owed.is_empty() {
        note(&owed);
    }
    let leases = source::leases(delivery, &fetched, world);
    let results = match &plan.steps {
        Ok(steps) if !steps.is_empty() => {
            // Before it is done: what is cut off in the middle may have been delivered.
            leases.iter().for_each(|session| session.outlive());
            let results = apply::delivery(steps, world).await;
            if results.iter().all(Result::is_err) {
                leases.iter().for_each(|session| session.let_go());
            }
            results
        }
        Ok(_) | Err(_) => Vec::new(),
    };
    Way {
        plan,
        results,
        owed,
    }
}

/// The way of what manifests describe.
async fn describe(pass: &Pass<'_>) -> Vec<Way> {
    let world = pass.world;
    let decided = async {
        let wanted = pass.described().await.into_iter();
        join_all(wanted.map(|wanted| pass.decide(wanted))).await
    };
    let plans = tokio::select! {
        biased;
        () = world.halt.asked() => return vec![stopped("manifests")],
        plans = decided => plans,
    };
    let ways = plans.into_iter().map(|plan| async {
        let steps = plan.steps.as_deref().unwrap_or_default();
        let results = apply::delivery(steps, world).await;
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
            steps: Err(halt::stopped()),
        },
        results: Vec::new(),
        owed: Vec::new(),
    }
}
