//! One pass from declaration to effect. Every mode calls this and nothing else.
//!
//! Each delivery goes its own way from its sources to its targets, as soon as these have answered: one whose source is slow
//! or broken holds up no other. Rules between deliveries, such as two outputs on one place, are the configuration's.

use futures_util::future::join_all;
use jiff::Timestamp;

use crate::apply::{self, Applied};
use crate::config::{Config, Delivery, Target};
use crate::fetched::Fetched;
use crate::halt;
use crate::observe;
use crate::plan::{self, DeliveryPlan, Owed, Plan};
use crate::render;
use crate::report::Failure;
use crate::source::{self, Reads};
use crate::world::World;

/// Fetches, renders, looks and decides.
pub async fn plan(config: &Config, world: &World, now: Timestamp) -> Plan {
    let reads = Reads::new(config, world);
    let plans = config.deliveries.iter().map(|delivery| async {
        let fetched = reads.of(delivery).await;
        decide(delivery, &fetched, world, now).await
    });
    Plan {
        deliveries: join_all(plans).await,
    }
}

async fn decide(
    delivery: &Delivery,
    fetched: &Fetched,
    world: &World,
    now: Timestamp,
) -> DeliveryPlan {
    let namespace = own_namespace(delivery, world).await;
    let wanted = render::wanted(delivery, fetched, &namespace, now);
    let observed = observe::delivery(&wanted, world).await;
    plan::delivery(wanted, observed)
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
    let (reads, note) = (Reads::new(config, world), &note);
    let ways = config
        .deliveries
        .iter()
        .map(|delivery| deliver(delivery, &reads, world, now, note));
    let mut applied = Applied {
        plan: Plan {
            deliveries: Vec::new(),
        },
        results: Vec::new(),
    };
    let mut owed = Vec::new();
    for way in join_all(ways).await {
        applied.plan.deliveries.push(way.plan);
        applied.results.push(way.results);
        owed.extend(way.owed);
    }
    (applied, owed)
}

/// What came of one delivery.
struct Way {
    plan: DeliveryPlan,
    results: Vec<Result<(), Failure>>,
    owed: Vec<Owed>,
}

async fn deliver(
    delivery: &Delivery,
    reads: &Reads<'_>,
    world: &World,
    now: Timestamp,
    note: &impl Fn(&[Owed]),
) -> Way {
    let decided = async {
        let fetched = reads.of(delivery).await;
        let plan = decide(delivery, &fetched, world, now).await;
        (fetched, plan)
    };
    let (fetched, plan) = tokio::select! {
        biased;
        // Reading is given up at once: nothing of it can be left in halves.
        () = world.halt.asked() => return stopped(delivery),
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

fn stopped(delivery: &Delivery) -> Way {
    Way {
        plan: DeliveryPlan {
            delivery: delivery.name.clone(),
            steps: Err(halt::stopped()),
        },
        results: Vec::new(),
        owed: Vec::new(),
    }
}

/// Asked for only when some target leaves its namespace out.
async fn own_namespace(delivery: &Delivery, world: &World) -> Result<String, Failure> {
    let needed = delivery.to.iter().any(|target| match target {
        Target::Secret(secret) => secret.at.namespace.is_none(),
        Target::File(_) | Target::Files(_) => false,
    });
    if !needed {
        return Ok(String::new());
    }
    world
        .kubernetes()
        .await
        .map(|cluster| cluster.namespace.clone())
}
