//! Writing Kubernetes Secrets: server-side apply as `keyferry`, never over a stranger.
//!
//! Each write names the object, and the version of it, that it was decided on; the server refuses
//! it for any other. When somebody else was faster, we look and decide again. So two runs at once
//! end with the content of one of them, and what appears between look and write is never touched.
//! How "only if there is none" is said to the server: [`crate::kubernetes::secret`].

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::base::artifact::{Leftover, Owner, PullSecretLink, SecretArtifact};
use crate::base::failure::Failure;
use crate::base::observed::SecretState;
use crate::kubernetes::secret::{Apply, Basis, Managed, Stored};
use crate::kubernetes::{Error, Kind, Kubernetes, Subject};
use crate::pass::world::World;
use crate::plan::declared;
use crate::plan::{self, Action};
use crate::process::shutdown::Shutdown;
use crate::process::time_limit::retry::pause;
use crate::reflect::signature::Keys;

/// How often somebody else may be faster. Each round is a read and a write.
const ROUNDS: u32 = 8;

/// How long finalizers may hold a Secret that is to be made again.
const RELEASE: Duration = Duration::from_secs(30);

/// How long an old object may take to be put back; after a signal less, as [`Shutdown`] says.
const RESTORE: Duration = Duration::from_secs(3);

const FIRST_PAUSE: Duration = Duration::from_millis(20);

const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Creates, updates or recreates one Secret.
///
/// `keys` are those of the marks, where copies are signed.
pub async fn write(
    secret: &SecretArtifact,
    action: &Action,
    keys: Option<&Keys>,
    world: &World,
) -> Result<(), Failure> {
    let cluster = world.kubernetes().await?;
    let secret = &Signed {
        wanted: secret,
        keys,
    };
    match action {
        Action::Keep | Action::Delete | Action::Wait => {}
        Action::Refuse(failure) => return Err(failure.clone()),
        Action::Create => settle(cluster, secret, Start::Absent).await?,
        Action::Update(_) => settle(cluster, secret, Start::Look).await?,
        Action::Recreate { uid, .. } => recreate(cluster, secret, uid, &world.shutdown).await?,
    }
    Ok(())
}

/// Deletes what is described no more, exactly as it was seen. What somebody changed meanwhile is
/// left for the next pass.
pub async fn remove(leftover: &Leftover, world: &World) -> Result<(), Failure> {
    let cluster = world.kubernetes().await?;
    Ok(cluster.delete_unchanged(leftover).await?)
}

/// Adds the Secret to a ServiceAccount's `imagePullSecrets`.
pub async fn link(link: &PullSecretLink, world: &World) -> Result<(), Failure> {
    let cluster = world.kubernetes().await?;
    for round in 1..=ROUNDS {
        let account = cluster.account(link).await?;
        if account.pulls_with(&link.secret) {
            return Ok(());
        }
        match cluster.append(link, &account).await {
            Err(Error::Raced(_)) => step_aside(round).await,
            settled => return Ok(settled?),
        }
    }
    let at = link.account.clone();
    Err(Error::Raced(Subject {
        kind: Kind::ServiceAccount,
        at,
    })
    .into())
}

/// What is known when writing begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// The plan saw nothing there.
    Absent,
    /// It saw something, and that may have changed.
    Look,
}

/// What is wanted, and the keys that tell whether what stands there was signed by us.
struct Signed<'a> {
    wanted: &'a SecretArtifact,
    keys: Option<&'a Keys>,
}

impl Signed<'_> {
    /// The rules of the plan once more: what stands there now may not be what the plan saw.
    fn decide(&self, stored: Stored) -> Result<(Action, SecretState), Failure> {
        if let Some(finalizers) = stored.deleting() {
            return Err(Error::BeingDeleted {
                subject: subject(self.wanted),
                finalizers: finalizers.to_vec(),
            }
            .into());
        }
        let mut stands = stored.seen(self.wanted);
        if let Some(keys) = self.keys {
            declared::judge(self.wanted, &mut stands, keys);
        }
        Ok((plan::secret(self.wanted, &stands), stands))
    }
}

/// Looks, decides and applies, until it is as wanted or must not be touched.
async fn settle(cluster: &Kubernetes, secret: &Signed<'_>, start: Start) -> Result<(), Failure> {
    let mut start = start;
    for round in 1..=ROUNDS {
        let found = match start {
            Start::Absent => None,
            Start::Look => cluster.secret(&secret.wanted.at).await?,
        };
        start = Start::Look;
        let outcome = match found {
            None => create(cluster, secret.wanted).await,
            Some(stored) => {
                let managed = stored.managed();
                match secret.decide(stored)? {
                    (Action::Keep, _) => return Ok(()),
                    (Action::Refuse(failure), _) => return Err(failure),
                    (Action::Update(_), stands) => {
                        update(cluster, secret.wanted, &managed, stands).await
                    }
                    // Only what the plan saw is made again.
                    (
                        Action::Recreate { .. } | Action::Create | Action::Delete | Action::Wait,
                        _,
                    ) => {
                        break;
                    }
                }
            }
        };
        match outcome {
            Err(Error::Raced(_)) => step_aside(round).await,
            settled => return Ok(settled?),
        }
    }
    Err(Error::Raced(subject(secret.wanted)).into())
}

/// Makes it if there is still none. Any conflict means that there is one now.
async fn create(cluster: &Kubernetes, wanted: &SecretArtifact) -> Result<(), Error> {
    let apply = Apply {
        wanted,
        basis: Basis::Nothing,
        marked: true,
        force: false,
    };
    match cluster.apply(&apply).await {
        Ok(stored) => verify(stored, wanted),
        Err(Error::Owned { subject, .. }) => Err(Error::Raced(subject)),
        Err(error) => Err(error),
    }
}

/// Changes what is there and may be changed.
async fn update(
    cluster: &Kubernetes,
    wanted: &SecretArtifact,
    managed: &Managed,
    stands: SecretState,
) -> Result<(), Error> {
    let SecretState {
        uid,
        resource_version: version,
        owner,
        ..
    } = stands;
    let version = match owner {
        Owner::Stranger => cluster.disown(wanted, managed, (&uid, version)).await?,
        // All that keyferry applied has one manager, whichever configuration it was.
        Owner::Unnamed | Owner::Configuration(_) | Owner::Reflector => version,
    };
    let apply = Apply {
        wanted,
        basis: Basis::Object {
            uid: &uid,
            version: &version,
        },
        marked: true,
        force: wanted.conflict.force,
    };
    verify(cluster.apply(&apply).await?, wanted)
}

/// What was stored must be what was sent: a mutating webhook that rewrites a value would have it
/// rewritten in each pass.
fn verify(stored: Stored, wanted: &SecretArtifact) -> Result<(), Error> {
    let what = differences(&stored.seen(wanted), wanted);
    if what.is_empty() {
        return Ok(());
    }
    Err(Error::Altered {
        subject: subject(wanted),
        what,
    })
}

/// Names of what is not as wanted.
fn differences(seen: &SecretState, wanted: &SecretArtifact) -> Vec<String> {
    let SecretArtifact {
        at: _,
        kind,
        data,
        provenance: _,
        labels,
        annotations,
        immutable,
        conflict: _,
    } = wanted;
    let keys = data
        .keys()
        .chain(seen.data.keys().filter(|key| !data.contains_key(*key)));
    let mut names: Vec<String> = keys
        .filter(|key| data.get(*key) != seen.data.get(*key))
        .map(|key| format!("data.{key}"))
        .collect();
    let mut note = |differs: bool, name: &str| {
        if differs {
            names.push(name.to_owned());
        }
    };
    note(!seen.is_told, "the owner mark or the provenance");
    note(*kind != seen.kind, "type");
    note(*immutable != seen.immutable, "immutable");
    note(*labels != seen.labels, "labels");
    note(*annotations != seen.annotations, "annotations");
    names
}

/// Deletes exactly the object that the plan saw and makes it again. The old one is kept in memory
/// and put back if that fails, or if a signal ends the wait for it; the right to create is asked
/// for first, because without it neither could be done.
async fn recreate(
    cluster: &Kubernetes,
    secret: &Signed<'_>,
    uid: &str,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let wanted = secret.wanted;
    let Some(old) = cluster.secret(&wanted.at).await? else {
        return settle(cluster, secret, Start::Absent).await;
    };
    match secret.decide(old.duplicate())?.0 {
        Action::Recreate { uid: seen, .. } if seen == uid => {}
        Action::Recreate { .. } => return Err(Error::Raced(subject(wanted)).into()),
        Action::Refuse(failure) => return Err(failure),
        Action::Keep | Action::Update(_) | Action::Create | Action::Delete | Action::Wait => {
            return settle(cluster, secret, Start::Look).await;
        }
    }
    cluster.check_create(&wanted.at).await?;
    let cause = tokio::select! {
        made = replace(cluster, secret, uid) => match made {
            Ok(()) => return Ok(()),
            Err(Replacing::Standing(failure)) => return Err(failure),
            Err(Replacing::Gone(error)) => error,
        },
        () = shutdown.over() => Error::Stopped(subject(wanted)),
    };
    let old = old.into_artifact(wanted);
    let back = tokio::select! {
        back = put_back(cluster, &old, uid) => back,
        () = shutdown.restored() => Back::Nothing,
    };
    match back {
        Back::Another => Err(cause.into()),
        back @ (Back::Restored | Back::Nothing) => Err(Error::NotRecreated {
            subject: subject(wanted),
            restored: back == Back::Restored,
            cause: Box::new(cause),
        }
        .into()),
    }
}

/// How making again failed.
enum Replacing {
    /// Something stands there that is not for us to replace.
    Standing(Failure),
    /// The old object may be gone.
    Gone(Error),
}

async fn replace(cluster: &Kubernetes, secret: &Signed<'_>, uid: &str) -> Result<(), Replacing> {
    let wanted = secret.wanted;
    match cluster.delete(&wanted.at, uid).await {
        Ok(()) => {}
        // Without an answer it may have been deleted all the same.
        Err(error @ (Error::Unavailable { .. } | Error::Strange { .. })) => {
            return Err(Replacing::Gone(error));
        }
        Err(error) => return Err(Replacing::Standing(error.into())),
    }
    match released(cluster, wanted, uid).await {
        Ok(()) => {}
        Err(error @ Error::BeingDeleted { .. }) => return Err(Replacing::Standing(error.into())),
        Err(error) => return Err(Replacing::Gone(error)),
    }
    match create(cluster, wanted).await {
        Ok(()) => Ok(()),
        Err(Error::Raced(_)) => {
            let settled = settle(cluster, secret, Start::Look).await;
            settled.map_err(Replacing::Standing)
        }
        Err(error) => Err(Replacing::Gone(error)),
    }
}

/// What stands after the attempt to put an object back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Back {
    /// The old one.
    Restored,
    /// Another, or the old one that was never deleted.
    Another,
    /// Nothing, or what goes as soon as its finalizers let it.
    Nothing,
}

/// Puts the old object back unless one stands there, in a time of its own: all other time may be
/// used up.
async fn put_back(cluster: &Kubernetes, old: &SecretArtifact, uid: &str) -> Back {
    let end = Instant::now() + RESTORE;
    let cluster = cluster.until(end);
    let apply = Apply {
        wanted: old,
        basis: Basis::Nothing,
        marked: false,
        force: false,
    };
    let mut last = Back::Nothing;
    loop {
        if let Ok(Ok(_)) = timeout_at(end, cluster.apply(&apply)).await {
            return Back::Restored;
        }
        match timeout_at(end, cluster.secret(&old.at)).await {
            Ok(Ok(Some(stands))) if stands.uid() != uid => return Back::Another,
            // A deletion that was sent may still arrive.
            Ok(Ok(Some(stands))) if stands.deleting().is_none() => last = Back::Another,
            Ok(Ok(_)) => last = Back::Nothing,
            Ok(Err(_)) | Err(_) => {}
        }
        if Instant::now() + LONGEST_PAUSE / 4 >= end {
            return last;
        }
        sleep(LONGEST_PAUSE / 4).await;
    }
}

/// Waits until the deleted object is gone; others' finalizers may hold it.
async fn released(cluster: &Kubernetes, wanted: &SecretArtifact, uid: &str) -> Result<(), Error> {
    let end = cluster.time_limit.deadline().min(Instant::now() + RELEASE);
    let mut pause = FIRST_PAUSE;
    loop {
        let finalizers = match cluster.secret(&wanted.at).await? {
            Some(stored) if stored.uid() == uid => stored.deleting().unwrap_or_default().to_vec(),
            Some(_) | None => return Ok(()),
        };
        if Instant::now() + pause >= end {
            return Err(Error::BeingDeleted {
                subject: subject(wanted),
                finalizers,
            });
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Lets the other one finish: each round waits longer, and not two writers equally long.
async fn step_aside(round: u32) {
    sleep(pause(round, None).min(LONGEST_PAUSE)).await;
}

fn subject(wanted: &SecretArtifact) -> Subject {
    Subject {
        kind: Kind::Secret,
        at: wanted.at.clone(),
    }
}
