//! Watches: a list, then each change; after a silence, a gap or an error, a list again.
//!
//! A watch that the server ends in good order goes on where it was. Any other end could hide an event, or a store that went
//! back in time, so everything is listed again; that is metadata only, and what did not change causes nothing.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep};

use super::pulse::Pulse;
use crate::kubernetes::list::{Change, Pages};
use crate::kubernetes::{self, Error, Kubernetes};
use crate::reflect::metadata::{Metadata, NamespaceMetadata};
use crate::reflect::place::{Kind, Version};

/// One page or one opening of a watch.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first wait after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What is seen.
pub(super) enum Signal {
    /// Of namespaces.
    Namespaces(Seen<NamespaceMetadata>),
    /// Of Secrets or ConfigMaps, in one namespace or in all.
    Objects(Kind, Option<Arc<str>>, Seen<Metadata>),
}

/// What is seen of one kind.
pub(super) enum Seen<T> {
    /// A list begins.
    Begins,
    /// A part of it.
    Part(Vec<T>),
    /// It is complete.
    Ends,
    /// Something was made or changed.
    Is(T),
    /// Something is gone.
    Gone(T),
}

/// Something that has a version.
pub(super) trait Versioned {
    fn version(&self) -> Version;
}

impl Versioned for Metadata {
    fn version(&self) -> Version {
        self.resource_version
    }
}

impl Versioned for NamespaceMetadata {
    fn version(&self) -> Version {
        self.resource_version
    }
}

/// One watch for ever.
pub(super) struct Follow<T> {
    pub(super) cluster: Kubernetes,
    pub(super) kind: kubernetes::Kind,
    /// Nothing: all of them.
    pub(super) namespace: Option<Arc<str>>,
    pub(super) wrap: Box<dyn Fn(Seen<T>) -> Signal + Send + Sync>,
    pub(super) signals: mpsc::Sender<Signal>,
    /// Held while a list is read: the lists of one kind in several namespaces are told one after another.
    pub(super) lists: Arc<Mutex<()>>,
    pub(super) pulse: Pulse,
    /// How long a connection may be silent.
    pub(super) silence: Duration,
}

/// Why a watch begins anew.
enum End {
    /// Nobody listens any more.
    Deaf,
    /// The server says that we missed something.
    Lost(u16),
    /// An error.
    Error(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl<T: DeserializeOwned + Versioned> Follow<T> {
    /// Lists and watches until nobody listens.
    pub(super) async fn run(self) {
        let name = self.name();
        self.pulse.expect(&name);
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            match self.round(&name).await {
                End::Deaf => return,
                End::Lost(code) => {
                    tracing::info!(
                        watch = name,
                        code,
                        "the server cannot go on from here; all is listed again"
                    );
                }
                End::Error(error) => {
                    tracing::warn!(watch = name, %error, "a watch broke; all is listed again");
                }
            }
            if started.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            sleep(kubernetes::retry::jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn name(&self) -> String {
        let resource = self.kind.resource();
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{resource}"),
            None => resource.to_owned(),
        }
    }

    async fn round(&self, name: &str) -> End {
        match self.list(name).await {
            Err(end) => end,
            Ok(version) => match self.watch(name, version).await {
                Ok(never) => match never {},
                Err(end) => end,
            },
        }
    }

    async fn list(&self, name: &str) -> Result<String, End> {
        let _alone = self.lists.lock().await;
        self.tell(Seen::Begins).await?;
        let mut pages = Pages::of(self.kind, self.namespace.as_deref());
        while let Some(part) = pages
            .next(&self.cluster.until(Instant::now() + PATIENCE))
            .await?
        {
            self.pulse.heard(name);
            self.tell(Seen::Part(part)).await?;
        }
        self.tell(Seen::Ends).await?;
        self.pulse.listed(name);
        Ok(pages.version().to_owned())
    }

    async fn watch(
        &self,
        name: &str,
        mut version: String,
    ) -> Result<std::convert::Infallible, End> {
        loop {
            let cluster = self.cluster.until(Instant::now() + PATIENCE);
            let namespace = self.namespace.as_deref();
            let mut watch = cluster.watch(self.kind, namespace, &version).await?;
            while let Some(change) = watch.next::<T>(self.silence).await? {
                self.pulse.heard(name);
                let (at, seen) = match change {
                    Change::Is(object) => (object.version(), Some(Seen::Is(object))),
                    Change::Gone(object) => (object.version(), Some(Seen::Gone(object))),
                    Change::Bookmark(object) => (object.version(), None),
                    Change::Lost(code) => return Err(End::Lost(code)),
                };
                version = at.to_string();
                if let Some(seen) = seen {
                    self.tell(seen).await?;
                }
            }
        }
    }

    async fn tell(&self, seen: Seen<T>) -> Result<(), End> {
        let told = self.signals.send((self.wrap)(seen)).await;
        told.map_err(|_| End::Deaf)
    }
}
