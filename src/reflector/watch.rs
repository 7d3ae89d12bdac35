//! Watches: first a list, then each change; after a silence, a gap or an error, a list again.
//!
//! If the server ends a watch in the normal way, the next one continues at the same version. Any
//! other end could hide an event or a store that was restored to an earlier state, so everything is
//! listed again. A list is metadata only, and unchanged objects cause no work.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep};

use super::liveness::Liveness;
use crate::copy_rules::metadata::{Metadata, NamespaceMetadata};
use crate::copy_rules::place::ResourceVersion;
use crate::kubernetes::list::{ObjectChange, Pages};
use crate::kubernetes::{self, Error, Kubernetes};
use crate::process::time_limit::retry;

/// Time limit for one page, or for opening a watch.
const PATIENCE: Duration = Duration::from_secs(30);

/// The wait after the first failure; it doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// A watch without any event that ends sooner than this is a failure, or it would be opened again
/// thousands of times a second.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// Events of one kind of object.
pub enum KindView<T> {
    /// A list begins.
    Begins,
    /// A part of the list.
    Part(Vec<T>),
    /// The list is complete.
    Ends,
    /// An object was made or changed.
    Is(T),
    /// An object is gone.
    Gone(T),
}

/// An object with a version.
pub trait Versioned {
    /// Its version.
    fn version(&self) -> ResourceVersion;
}

impl Versioned for Metadata {
    fn version(&self) -> ResourceVersion {
        self.resource_version
    }
}

impl Versioned for NamespaceMetadata {
    fn version(&self) -> ResourceVersion {
        self.resource_version
    }
}

/// One watch, which runs for ever.
pub struct Follow<T> {
    cluster: Kubernetes,
    kind: kubernetes::ObjectKind,
    /// Without it, all namespaces.
    namespace: Option<String>,
    /// Without it, objects of any name.
    only: Option<String>,
    /// Held while a list is read: the lists of one kind in several namespaces are sent one after
    /// another.
    lists: Arc<Mutex<()>>,
    liveness: Liveness,
    silence: Duration,
    of: PhantomData<fn() -> T>,
}

/// Why a watch starts again.
enum End {
    /// The receiver is gone.
    Deaf,
    /// The server says that events were lost.
    Lost(u16),
    /// The server ended it at once.
    AtOnce,
    /// An error.
    Error(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl<T> Follow<T> {
    /// A watch of all objects of a kind, of those in a namespace, or of one object.
    pub fn new(
        cluster: &Kubernetes,
        kind: kubernetes::ObjectKind,
        namespace: Option<&str>,
        only: Option<&str>,
    ) -> Self {
        Self {
            cluster: cluster.until(Instant::now()),
            kind,
            namespace: namespace.map(str::to_owned),
            only: only.map(str::to_owned),
            lists: Arc::default(),
            liveness: Liveness::default(),
            silence: crate::config::SILENCE,
            of: PhantomData,
        }
    }

    /// Reports the state of this watch, reads its list only while no other watch with the same lock
    /// does, and drops a connection that was silent for this time.
    pub(super) fn sharing(
        self,
        liveness: &Liveness,
        lists: &Arc<Mutex<()>>,
        silence: Duration,
    ) -> Self {
        Self {
            liveness: liveness.clone(),
            lists: Arc::clone(lists),
            silence,
            ..self
        }
    }
}

impl<T: DeserializeOwned + Versioned> Follow<T> {
    /// Lists and watches until the receiver is gone.
    pub async fn run(self, seen: mpsc::Sender<KindView<T>>) {
        let name = self.name();
        self.liveness.expect(&name);
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            match self.round(&name, &seen).await {
                End::Deaf => return,
                End::Lost(code) => {
                    tracing::info!(
                        watch = name,
                        code,
                        "the server cannot go on from here; all is listed again"
                    );
                }
                End::AtOnce => {
                    tracing::warn!(
                        watch = name,
                        "the server ends a watch at once; all is listed again"
                    );
                }
                End::Error(error) => {
                    tracing::warn!(watch = name, %error, "a watch broke; all is listed again");
                }
            }
            if started.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            sleep(retry::jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn name(&self) -> String {
        let resource = self.kind.resource();
        match (&self.namespace, &self.only) {
            (Some(namespace), Some(name)) => format!("{namespace}/{resource}/{name}"),
            (Some(namespace), None) => format!("{namespace}/{resource}"),
            (None, _) => resource.to_owned(),
        }
    }

    async fn round(&self, name: &str, seen: &mpsc::Sender<KindView<T>>) -> End {
        match self.list(name, seen).await {
            Err(end) => end,
            Ok(version) => match self.watch(name, version, seen).await {
                Ok(never) => match never {},
                Err(end) => end,
            },
        }
    }

    async fn list(&self, name: &str, to: &mpsc::Sender<KindView<T>>) -> Result<String, End> {
        let _alone = self.lists.lock().await;
        send(to, KindView::Begins).await?;
        let mut pages =
            Pages::from_first(self.kind, self.namespace.as_deref(), self.only.as_deref());
        while let Some(part) = pages
            .next(&self.cluster.until(Instant::now() + PATIENCE))
            .await?
        {
            self.liveness.heard(name);
            send(to, KindView::Part(part)).await?;
        }
        send(to, KindView::Ends).await?;
        self.liveness.listed(name);
        Ok(pages.version().to_owned())
    }

    async fn watch(
        &self,
        name: &str,
        mut version: String,
        to: &mpsc::Sender<KindView<T>>,
    ) -> Result<std::convert::Infallible, End> {
        loop {
            let begun = Instant::now();
            let mut is_empty = true;
            let cluster = self.cluster.until(begun + PATIENCE);
            let namespace = self.namespace.as_deref();
            let mut watch = cluster
                .watch(self.kind, namespace, self.only.as_deref(), &version)
                .await?;
            while let Some(change) = watch.next::<T>(self.silence).await? {
                self.liveness.heard(name);
                is_empty = false;
                let (at, seen) = match change {
                    ObjectChange::Is(object) => (object.version(), Some(KindView::Is(object))),
                    ObjectChange::Gone(object) => (object.version(), Some(KindView::Gone(object))),
                    ObjectChange::Bookmark(object) => (object.version(), None),
                    ObjectChange::Lost(code) => return Err(End::Lost(code)),
                };
                version = at.to_string();
                if let Some(seen) = seen {
                    send(to, seen).await?;
                }
            }
            // A server that is going away, or a proxy, ends each watch at once.
            if is_empty && begun.elapsed() < SHORTEST_WATCH {
                return Err(End::AtOnce);
            }
        }
    }
}

async fn send<T>(to: &mpsc::Sender<KindView<T>>, seen: KindView<T>) -> Result<(), End> {
    to.send(seen).await.map_err(|_| End::Deaf)
}
