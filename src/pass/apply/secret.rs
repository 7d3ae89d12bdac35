//! Writes Kubernetes Secrets: server-side apply as `keyferry`, never over a foreign object.
//!
//! Each write names the object and the version that the decision was made on; the server refuses it
//! for any other. If somebody else was faster, we look and decide again. So after two runs at once
//! the content is that of one of them, and an object that appears between look and write is never
//! touched. [`crate::kubernetes::write`] describes how the server is told "only if there is none".

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::base::artifact::{Leftover, PullSecretLink, SecretArtifact};
use crate::base::failure::Failure;
use crate::base::observed::{Basis, SecretState};
use crate::copy_rules::signature::Keys;
use crate::kubernetes::secret::{Stored, marked};
use crate::kubernetes::write::Put;
use crate::kubernetes::{Error, Kubernetes, ObjectKind, Subject};
use crate::pass::world::World;
use crate::plan::declared_copies;
use crate::plan::{self, Action};
use crate::process::shutdown::Shutdown;
use crate::process::time_limit::retry::pause;

/// How often a write is tried. Before each further attempt the object is read again.
const ROUNDS: u32 = 8;

/// How long finalizers may delay the deletion of a Secret that is to be created again.
const RELEASE: Duration = Duration::from_secs(30);

/// How long putting an old object back may take; after a signal less, as [`Shutdown`] says.
const RESTORE: Duration = Duration::from_secs(3);

const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Creates, updates or recreates one Secret, as a plan decided on this basis.
///
/// If somebody else was faster, the object is read and decided again by the same rules. `keys` sign
/// the copies.
pub async fn write(
    wanted: &SecretArtifact,
    action: &Action,
    basis: Option<&Basis>,
    keys: Option<&Keys>,
    world: &World,
) -> Result<(), Failure> {
    let cluster = world.kubernetes().await?;
    // Only the object that the plan saw may be recreated.
    let replaceable = basis.filter(|_| matches!(action, Action::Recreate(_)));
    let (mut action, mut basis) = (action.clone(), basis.cloned());
    let mut round = 1;
    loop {
        let done = match (&action, &basis) {
            (Action::Keep | Action::Delete | Action::Wait, _) => return Ok(()),
            (Action::Refuse(failure), _) => return Err(failure.clone()),
            (Action::Create | Action::Update(_), basis) => {
                replace_or_create(cluster, wanted, basis.as_ref()).await
            }
            (Action::Recreate(_), Some(seen))
                if replaceable.is_some_and(|only| only.uid == seen.uid) =>
            {
                recreate(cluster, wanted, seen, &world.shutdown).await
            }
            (Action::Recreate(_), _) => return Err(Error::Raced(subject(wanted)).into()),
        };
        let raced = match done {
            Err(error @ (Error::Raced(_) | Error::Owned { .. })) if round < ROUNDS => error,
            done => return Ok(done?),
        };
        step_aside(round).await;
        round += 1;
        let stands = read_current(cluster, wanted, keys).await?;
        let now = stands.as_ref().map(|stands| stands.basis.clone());
        // The server compares field owners before versions.
        if matches!(raced, Error::Owned { .. }) && now.is_some() && now == basis {
            return Err(raced.into());
        }
        action = stands.map_or(Action::Create, |stands| plan::secret(wanted, &stands));
        basis = now;
    }
}

async fn read_current(
    cluster: &Kubernetes,
    wanted: &SecretArtifact,
    keys: Option<&Keys>,
) -> Result<Option<SecretState>, Error> {
    let mut stands = cluster.read_state(wanted).await?;
    if let (Some(stands), Some(keys)) = (&mut stands, keys) {
        declared_copies::check_signature(wanted, stands, keys);
    }
    Ok(stands)
}

/// Deletes an object that is not declared any more, exactly as it was seen. If somebody changed it
/// meanwhile, it is left for the next pass.
pub async fn remove(leftover: &Leftover, world: &World) -> Result<(), Failure> {
    let cluster = world.kubernetes().await?;
    let Leftover {
        at, uid, version, ..
    } = leftover;
    let deleted = cluster
        .delete(ObjectKind::Secret, at, uid, Some(version))
        .await;
    Ok(deleted?)
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
        kind: ObjectKind::ServiceAccount,
        at,
    })
    .into())
}

/// Replaces the object that the decision was made on, or creates a new one. Any conflict means that
/// another object is there now.
async fn replace_or_create(
    cluster: &Kubernetes,
    wanted: &SecretArtifact,
    basis: Option<&Basis>,
) -> Result<(), Error> {
    let ready = match basis {
        Some(seen) => Some(cluster.disown(&wanted.at, seen).await?),
        None => None,
    };
    verify(
        cluster
            .write_secret(&marked(wanted, ready.as_ref()))
            .await?,
        wanted,
    )
}

/// The stored object must be the one that was sent: if a mutating webhook changed a value, each
/// pass would write it again.
fn verify(stored: Stored, wanted: &SecretArtifact) -> Result<(), Error> {
    let what = differences(&stored.into_state(wanted), wanted);
    if what.is_empty() {
        return Ok(());
    }
    Err(Error::Altered {
        subject: subject(wanted),
        what,
    })
}

/// Names of the parts that are not as wanted.
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

/// Deletes exactly the object that the plan saw and creates it again. The old object is kept in
/// memory. It is put back if the creation fails, or if a signal ends the wait for it. The right to
/// create is checked first, because both need it.
async fn recreate(
    cluster: &Kubernetes,
    wanted: &SecretArtifact,
    seen: &Basis,
    shutdown: &Shutdown,
) -> Result<(), Error> {
    let found = cluster.secret(&wanted.at).await?;
    let Some(old) = found.filter(|found| found.is(seen)) else {
        return Err(Error::Raced(subject(wanted)));
    };
    cluster.check_create(&wanted.at).await?;
    let cause = tokio::select! {
        made = replace(cluster, wanted, &seen.uid) => match made {
            Ok(()) => return Ok(()),
            Err(Replacing::Standing(error)) => return Err(error),
            Err(Replacing::Gone(error)) => error,
        },
        () = shutdown.over() => Error::Stopped(subject(wanted)),
    };
    let old = old.again(&wanted.at);
    let back = tokio::select! {
        back = put_back(cluster, &old, &seen.uid) => back,
        () = shutdown.restored() => Back::Nothing,
    };
    match back {
        Back::Another => Err(cause),
        back @ (Back::Restored | Back::Nothing) => Err(Error::NotRecreated {
            subject: subject(wanted),
            restored: back == Back::Restored,
            cause: Box::new(cause),
        }),
    }
}

/// Why the object could not be recreated.
enum Replacing {
    /// An object stands there that we must not replace.
    Standing(Error),
    /// The old object may be gone.
    Gone(Error),
}

async fn replace(
    cluster: &Kubernetes,
    wanted: &SecretArtifact,
    uid: &str,
) -> Result<(), Replacing> {
    match cluster
        .delete(ObjectKind::Secret, &wanted.at, uid, None)
        .await
    {
        Ok(()) => {}
        // Without an answer, the object may still have been deleted.
        Err(error @ (Error::Unavailable { .. } | Error::Strange { .. })) => {
            return Err(Replacing::Gone(error));
        }
        Err(error) => return Err(Replacing::Standing(error)),
    }
    let gone = cluster
        .released(ObjectKind::Secret, &wanted.at, uid, RELEASE)
        .await;
    match gone {
        Ok(()) => {}
        Err(error @ Error::BeingDeleted { .. }) => return Err(Replacing::Standing(error)),
        Err(error) => return Err(Replacing::Gone(error)),
    }
    match replace_or_create(cluster, wanted, None).await {
        Ok(()) => Ok(()),
        // Another object is there already.
        Err(error @ (Error::Raced(_) | Error::Owned { .. })) => Err(Replacing::Standing(error)),
        Err(error) => Err(Replacing::Gone(error)),
    }
}

/// The state after the attempt to put an object back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Back {
    /// The old object stands there.
    Restored,
    /// Another object stands there, or the old one that was never deleted.
    Another,
    /// Nothing stands there, or an object that is deleted as soon as its finalizers allow it.
    Nothing,
}

/// Puts the old object back unless another one stands there. It has a separate time limit, because
/// all other time may be used up.
async fn put_back(cluster: &Kubernetes, old: &Put<'_>, uid: &str) -> Back {
    let end = Instant::now() + RESTORE;
    let cluster = cluster.until(end);
    let mut last = Back::Nothing;
    loop {
        if let Ok(Ok(_)) = timeout_at(end, cluster.write_secret(old)).await {
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

/// Lets the other writer finish: each round waits longer, and two writers wait for different times.
async fn step_aside(round: u32) {
    sleep(pause(round, None).min(LONGEST_PAUSE)).await;
}

fn subject(wanted: &SecretArtifact) -> Subject {
    Subject {
        kind: ObjectKind::Secret,
        at: wanted.at.clone(),
    }
}
