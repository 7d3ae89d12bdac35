//! `sidecar`: keeps running, renews and reacts, until a signal ends it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::reaper::bury;
use super::{Ended, reflector, stopped};
use crate::base::failure::{Class, Failure};
use crate::config::problem::Problems;
use crate::config::{Collector, Process};
use crate::config::{Config, Source};
use crate::disk::aside;
use crate::kubernetes::pod::{Pod, host_name};
use crate::pass::apply::react::departed;
use crate::pass::outcome::Failed;
use crate::pass::world::World;
use crate::process::progress;
use crate::sidecar::batch::Batch;
use crate::sidecar::events::EventLog;
use crate::sidecar::file_watch::WatchedFiles;
use crate::sidecar::group::Group;
use crate::sidecar::grouping;
use crate::sidecar::health::Health;
use crate::sidecar::listen::{Listen, Names};
use crate::sidecar::otlp;
use crate::sidecar::reactor::Reactor;
use crate::sidecar::serve;
use crate::sidecar::window_hold::WindowHold;
use crate::vault::Session;

/// The result of reading a configuration from disk.
pub struct Loaded {
    /// The checked configuration, or its problems.
    pub config: Result<Config, Problems>,
    /// Files and folders that it was read from.
    pub files: Vec<PathBuf>,
}

/// What `main` knows from arguments and the environment.
pub struct Settings {
    /// The address for probes, metrics and status.
    pub listen: Listen,
    /// The host names that requests may use.
    pub names: Names,
    /// Reads the configuration again.
    pub load: Arc<dyn Fn() -> Loaded + Send + Sync>,
    /// Makes the world of a configuration.
    pub world: Box<dyn Fn(&Config) -> World>,
}

/// Stays until a signal.
pub async fn run(mut settings: Settings, first: Config, files: Vec<PathBuf>) -> Ended {
    let stop = stopped();
    let listener = match settings.listen.bind() {
        Ok(listener) => listener,
        Err(failure) => return Ended::Failed(Failed::of_the_run(failure)),
    };
    let names = std::mem::take(&mut settings.names);
    let health = Arc::new(Health::default());
    let pod = Pod::of_this_process();
    health.state().instance = pod.as_ref().map(Pod::to_string).or_else(host_name);
    let reactor = Reactor::new(Arc::clone(&health));
    let event_log = EventLog::new(pod);
    let world = settings.world.as_ref()(&first);
    let mut stay = Stay {
        files: WatchedFiles::new(files).await,
        hangup: signal(SignalKind::hangup()).ok(),
        settings,
        world,
        seen: None,
        collector: None,
    };
    tracing::info!(listen = %stay.settings.listen, "staying");
    let served = serve::serve(listener, Arc::clone(&health), names);
    // The world is replaced with each configuration; the shutdown stays.
    let shutdown = Arc::clone(&stay.world.shutdown);
    let ended = async {
        stop.await;
        shutdown.stop_steps().await;
    };
    tokio::select! {
        biased;
        () = ended => {}
        () = served => {}
        () = bury() => {}
        () = stay.on(first, &health, &reactor, &event_log) => {}
    }
    tracing::info!("ending: what was delivered stays");
    let liveness = health.state().reflector.clone();
    tokio::join!(liveness.resign(), stay.world.close());
    if let Some(collector) = &stay.collector {
        otlp::tell_last(collector, &health).await;
    }
    Ended::Well(progress::after_waiting("stopped"))
}

struct Stay {
    settings: Settings,
    files: WatchedFiles,
    hangup: Option<Signal>,
    world: World,
    /// The process whose end is also ours, once it was seen.
    seen: Option<Process>,
    /// The collector that is also told of the end.
    collector: Option<Collector>,
}

impl Stay {
    /// Keeps one configuration after the other, for ever.
    async fn on(
        &mut self,
        first: Config,
        health: &Arc<Health>,
        reactor: &Reactor,
        event_log: &EventLog,
    ) {
        let mut config = first;
        // Delivered data is in use, whatever the next configuration contains.
        let in_use = WindowHold::default();
        loop {
            let sources: Vec<&Source> = config
                .deliveries
                .iter()
                .flat_map(|delivery| delivery.from.iter().map(|from| &from.source))
                .collect();
            if let Some(lease_cache) = &self.world.lease_cache {
                lease_cache.retain(&sources);
            }
            health.use_configuration(&config);
            reactor.load(&config, self.world.root.as_deref()).await;
            let reflector = config.reflector.clone();
            let liveness = health.state().reflector.clone();
            let events = config.sidecar.events;
            let collector = config.sidecar.otlp.clone();
            if collector.is_some() {
                // The first pass may be over before the collector's task starts.
                otlp::start(health);
            }
            self.collector.clone_from(&collector);
            let end_with = config.sidecar.end_with.clone();
            let groups = grouping::split(config).await;
            let new = {
                let (world, settings) = (&self.world, &self.settings);
                let batch = |group| Batch {
                    group,
                    world,
                    health,
                    reactor,
                    event_log,
                    waits: in_use.for_another_group(),
                };
                let groups: Vec<Group<'_>> = groups
                    .iter()
                    .map(|group| Group {
                        batches: group.iter().map(batch).collect(),
                    })
                    .collect();
                let tended = world
                    .vaults()
                    .map(|(name, session)| tend(name, session, world));
                // Everything that must run until the end or the next configuration is a branch
                // here.
                let reloaded = async {
                    let new = reload(settings, &mut self.files, &mut self.hangup, health).await;
                    // The writes of the old configuration are finished first.
                    world.shutdown.idle().await;
                    new
                };
                let ended = async {
                    match &end_with {
                        Some(process) => departed(process, &mut self.seen).await,
                        None => std::future::pending().await,
                    }
                    tracing::info!("the process to end with is gone");
                    world.shutdown.stop_steps().await;
                };
                tokio::select! {
                    new = reloaded => new,
                    () = ended => return,
                    _ = join_all(groups.iter().map(Group::keep)), if !groups.is_empty() => return,
                    _ = join_all(tended), if world.vaults().next().is_some() => return,
                    () = reactor.run(world) => return,
                    () = event_log.run(events, world) => return,
                    () = reflector::keep(reflector.as_ref(), world, &liveness) => return,
                    () = otlp::export(collector.as_ref(), health) => return,
                }
            };
            let world = self.settings.world.as_ref()(&new).after(&self.world);
            let before = std::mem::replace(&mut self.world, world);
            // Sessions that the new configuration does not have are given back; the others are
            // kept.
            before.close().await;
            config = new;
        }
    }
}

/// Reads the configuration. If the read hangs, the old configuration stays in use meanwhile.
async fn load(settings: &Settings) -> Loaded {
    let load = Arc::clone(&settings.load);
    aside(move || load()).await
}

/// Waits until there is another usable configuration. An unusable one is reported once.
async fn reload(
    settings: &Settings,
    files: &mut WatchedFiles,
    hangup: &mut Option<Signal>,
    health: &Health,
) -> Config {
    loop {
        let asked = async {
            match hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = files.change() => {}
            () = asked => {}
        }
        // The files are looked at before the final read, so a change during the read is noticed
        // afterwards.
        *files = WatchedFiles::new(load(settings).await.files).await;
        let config = load(settings).await.config;
        match config {
            Ok(config) => {
                tracing::info!(deliveries = config.deliveries.len(), "configuration taken");
                return config;
            }
            Err(problems) => {
                let Failure {
                    class,
                    what: why,
                    hint,
                    ..
                } = problems.failure();
                tracing::error!(%class, reason = why, hint, "configuration refused, the old one \
                    stays in use");
                health.refuse(why);
            }
        }
    }
}

/// Keeps the token of one server valid, and takes up a credential that changed on disk.
pub(super) async fn tend(name: &str, session: &Session, world: &World) {
    let leased = || {
        let depends =
            |lease_cache: &crate::vault::cache::LeaseCache| lease_cache.depends_on(name, u64::MAX);
        world.lease_cache.as_deref().is_some_and(depends)
    };
    let mut files = WatchedFiles::new(
        session
            .auth()
            .files()
            .into_iter()
            .map(Path::to_owned)
            .collect(),
    )
    .await;
    let changes = async {
        loop {
            files.change().await;
            session.credential_changed(leased()).await;
        }
    };
    tokio::select! {
        () = session.tend(leased) => {}
        () = changes => {}
    }
}

/// A configuration without targets and without reflector is a mistake: the sidecar would be ready
/// for ever and do nothing.
pub fn has_work(config: &Config) -> Result<(), Failure> {
    if !config.has_targets() && config.reflector.is_none() {
        return Err(Failure::new(
            Class::Configuration,
            "the configuration has nothing to keep",
        )
        .hint("add `to:` to a delivery, or add `manifests:` or `reflector:`"));
    }
    Ok(())
}
