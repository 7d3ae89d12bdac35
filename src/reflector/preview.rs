//! What a reflector would do if it started now: one listing, then the decisions of the index, and
//! only reads.
//!
//! Neither the Lease nor Events are written: the Lease is only read for its reserved places. Values
//! that a decision needs are compared here and dropped.

use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use super::controller::scopes;
use super::worker::Worker;
use crate::base::failure::{Class, Failure};
use crate::config::{Reflector, resolve};
use crate::copy_rules::index::{Content, CopyJob, Digest, Event, Forecast};
use crate::copy_rules::marks::RESERVED;
use crate::copy_rules::metadata::{Metadata, NamespaceMetadata};
use crate::copy_rules::place::{CopiedKind, ResourceVersion};
use crate::copy_rules::planned_copies::{Foresight, Outlook};
use crate::kubernetes::list::Pages;
use crate::kubernetes::{self, Error, Kubernetes};

/// Reads the whole cluster, or the namespaces that the configuration names.
pub async fn foresee(config: &Reflector, cluster: &Kubernetes) -> Result<Foresight, Failure> {
    let at = resolve(&config.mark_key, &cluster.namespace);
    let keys = Arc::new(cluster.mark_keys_to_plan(&at).await?);
    let mut forecast = Forecast::new(config.rules.clone(), Arc::clone(&keys));
    let lease = resolve(&config.lease, &cluster.namespace);
    let mut failures = Vec::new();
    match cluster.lease(&lease).await {
        Ok(found) => {
            let reserved = found.as_ref().and_then(|found| found.annotation(RESERVED));
            forecast.index.recall(reserved.unwrap_or_default());
        }
        Err(error) => failures.push(error.into()),
    }
    list(config, cluster, &mut forecast).await?;
    let worker = Worker::new(cluster.until(Instant::now()), config, keys);
    let mut looks = FuturesUnordered::new();
    loop {
        while looks.len() < config.parallel
            && let Some(job) = forecast.next_read()
        {
            looks.push(read_object(&worker, job));
        }
        match looks.next().await {
            Some((job, seen)) => {
                worker.tidy();
                failures.extend(learn(&mut forecast, &job, seen));
            }
            None if forecast.wait() => {}
            None => break,
        }
    }
    let mut foresight = Foresight {
        failures,
        ..forecast.finish()
    };
    foresight.name_orders(&lease);
    Ok(foresight)
}

async fn list(
    config: &Reflector,
    cluster: &Kubernetes,
    forecast: &mut Forecast,
) -> Result<(), Error> {
    if config.rules.namespaces.is_none() {
        forecast.index.namespaces_begin();
        let mut pages = Pages::from_first(kubernetes::ObjectKind::Namespace, None, None);
        while let Some(part) = pages.next::<NamespaceMetadata>(cluster).await? {
            for namespace in part {
                forecast.index.apply(Event::Namespace(namespace));
            }
        }
        forecast.index.namespaces_end();
    }
    for kind in CopiedKind::ALL {
        forecast.index.list_begins(kind);
        for scope in scopes(config) {
            let mut pages = Pages::from_first(kind.into(), scope.as_deref(), None);
            while let Some(part) = pages.next(cluster).await? {
                for object in part {
                    forecast.listed(kind, object);
                }
            }
        }
        forecast.index.list_ends(kind, &|_| true, true);
    }
    Ok(())
}

/// The result of a read.
enum ReadObject {
    /// A source.
    Source(Metadata, Content),
    /// A copy.
    Copy(Metadata, ResourceVersion, Digest),
    /// The object at the place where a copy would be written.
    Basis(Outlook),
}

async fn read_object(
    worker: &Worker,
    job: CopyJob,
) -> (CopyJob, Result<Option<ReadObject>, Error>) {
    let seen = match &job {
        CopyJob::Read { kind, source } => {
            let found = worker.read(*kind, source).await;
            found
                .map(|found| found.map(|(metadata, content)| ReadObject::Source(metadata, content)))
        }
        CopyJob::Compare {
            kind,
            place,
            source,
        } => {
            let found = worker.compare(*kind, place, source).await;
            found.map(|found| {
                found.map(|(metadata, at, holds)| ReadObject::Copy(metadata, at, holds))
            })
        }
        CopyJob::Write(write) => {
            let found = worker.outlook(write).await;
            found.map(|found| found.map(ReadObject::Basis))
        }
        CopyJob::Delete { .. } | CopyJob::Remember { .. } => Ok(None),
    };
    (job, seen)
}

/// Takes in the result of a read; gives the reason if something stays unknown.
fn learn(
    forecast: &mut Forecast,
    job: &CopyJob,
    seen: Result<Option<ReadObject>, Error>,
) -> Option<Failure> {
    let now = forecast.now();
    match (job, seen) {
        (CopyJob::Read { kind, source }, Ok(Some(ReadObject::Source(metadata, content)))) => {
            forecast.index.apply(Event::Object(*kind, metadata));
            forecast.index.read(*kind, source, content);
            None
        }
        (
            CopyJob::Compare { kind, place, .. },
            Ok(Some(ReadObject::Copy(metadata, version, holds))),
        ) => {
            forecast.index.apply(Event::Object(*kind, metadata));
            forecast.index.compared(*kind, place, version, holds, now);
            None
        }
        (CopyJob::Write(write), Ok(Some(ReadObject::Basis(outlook)))) => {
            forecast.looked(write, outlook);
            None
        }
        (job, Ok(_)) => {
            let why = "it went away while it was looked at";
            forecast.give_up(job, why.to_owned());
            Some(Failure::new(Class::Unavailable, why).hint("plan again"))
        }
        (job, Err(error)) => {
            forecast.give_up(job, error.to_string());
            Some(error.into())
        }
    }
}
