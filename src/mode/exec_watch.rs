//! `exec --watch`: runs a program that has the fields of one delivery in its environment, and
//! starts it again when they change.
//!
//! We are its parent and often the first process of the container: signals are passed on, dead
//! orphans are removed, and the program's exit code becomes ours.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::Ended;
use super::child_program::{Environment, Program};
use super::exec::{chosen, rendered};
use super::reaper::bury;
use super::sidecar::tend;
use super::signals::heard;
use crate::base::failure::{Class, Failure};
use crate::config::Config;
use crate::config::SignalName;
use crate::pass::apply::react::{KillScope, RunningProgram, number};
use crate::pass::outcome::Failed;
use crate::pass::source;
use crate::pass::world::World;
use crate::sidecar::batch::Batch;
use crate::sidecar::cluster_watch::Followed;
use crate::sidecar::events::EventLog;
use crate::sidecar::failure_log::PresentFailures;
use crate::sidecar::file_watch;
use crate::sidecar::grouping::{self, files};
use crate::sidecar::health::Health;
use crate::sidecar::reactor::Reactor;
use crate::sidecar::window_hold::WindowHold;

/// Time from SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(10);

/// The action when a field changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// The program is ended and started with the new environment.
    Restart,
    /// The program gets a signal.
    Signal(SignalName),
}

impl OnChange {
    /// Parses `restart`, or the name of a signal.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text.trim_start_matches("SIG") {
            "restart" => Self::Restart,
            "HUP" => Self::Signal(SignalName::Hup),
            "INT" => Self::Signal(SignalName::Int),
            "QUIT" => Self::Signal(SignalName::Quit),
            "USR1" => Self::Signal(SignalName::Usr1),
            "USR2" => Self::Signal(SignalName::Usr2),
            "TERM" => Self::Signal(SignalName::Term),
            "WINCH" => Self::Signal(SignalName::Winch),
            _ => {
                return Err(format!(
                    "`{text}` is neither `restart` nor one of HUP, INT, QUIT, USR1, USR2, TERM, \
                     WINCH"
                ));
            }
        })
    }
}

/// The program to run.
pub struct WatchedProgram<'a> {
    /// Program and arguments.
    pub command: &'a [OsString],
    /// The folders that are searched for a program after a delivered `PATH`.
    pub path: &'a OsStr,
    /// The action when a field changes.
    pub on_change: OnChange,
    /// How long the first environment may take.
    pub deadline: Duration,
    /// The limit of core files before we changed it.
    pub core_limit: Option<u64>,
}

/// Runs the program, and each new start of it, to the end.
pub async fn run(
    config: &Config,
    world: World,
    delivery: Option<&str>,
    program: &WatchedProgram<'_>,
) -> Ended {
    let name = match chosen(config, delivery) {
        Ok(delivery) => delivery.name.clone(),
        Err(failure) => return Ended::Failed(Failed::of_the_run(failure)),
    };
    let health = Arc::new(Health::default());
    let (reactor, event_log) = (Reactor::new(Arc::clone(&health)), EventLog::default());
    let all = grouping::alone(config, &name);
    let batch = Batch {
        group: &all,
        world: &world,
        health: &health,
        reactor: &reactor,
        event_log: &event_log,
        waits: WindowHold::default(),
    };
    let tended = join_all(
        world
            .vaults()
            .map(|(name, session)| tend(name, session, &world)),
    );
    let never = async {
        match world.vaults().next() {
            Some(_) => drop(tended.await),
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = keep_running(&batch, &name, program) => ended,
        () = bury() => Ended::Program(0),
        () = never => Ended::Program(0),
    };
    world.close().await;
    ended
}

/// Fetches, starts the program, and does the same again at each change.
async fn keep_running(batch: &Batch<'_>, name: &str, program: &WatchedProgram<'_>) -> Ended {
    let mut signals = signals();
    let mut files = file_watch::WatchedFiles::new(files(batch.group)).await;
    let first = async {
        let followed = Followed::start(batch.group.deliveries.iter(), batch.world).await;
        let environment = first(batch, program.deadline, &mut files, &followed).await?;
        Ok::<_, Failure>((followed, environment))
    };
    let first = tokio::select! {
        first = first => first,
        // No program runs that could get the signal: the signal's default for a program is done to
        // us.
        signal = last(&mut signals) => return Ended::Program(signalled(signal)),
    };
    let (followed, mut current) = match first {
        Ok(first) => first,
        Err(failure) => return Ended::Failed(Failed::in_delivery(name, failure)),
    };
    let mut running = match start(program, &current) {
        Ok(running) => running,
        Err(failure) => return Ended::Failed(Failed::of_the_run(failure)),
    };
    let (mut errors, mut asked) = (0, None);
    let mut trouble = PresentFailures::default();
    batch.in_place();
    let mut waits = false;
    loop {
        let fresh = async {
            batch.rest(errors, asked, &mut files, &followed).await;
            let _ = files.changed().await;
            environment(batch).await
        };
        let fresh = match while_running(&mut running, &mut signals, fresh).await {
            Ok(fresh) => fresh,
            Err(status) => return Ended::Program(code(status)),
        };
        match fresh {
            Ok(fresh) => {
                (errors, asked) = (0, None);
                trouble.add_pass(Vec::new(), Timestamp::now(), Instant::now());
                if fresh != current && batch.holds(name) {
                    if !std::mem::replace(&mut waits, true) {
                        let opens = batch.waits.opens(name).map(tracing::field::display);
                        tracing::info!(delivery = name, opens, "a change waits for its window");
                    }
                    continue;
                }
                waits = false;
                batch.in_place();
                if fresh == current {
                    continue;
                }
                current = fresh;
                tracing::info!(delivery = name, "its fields changed");
                match program.on_change {
                    OnChange::Signal(signal) => running.signal(number(signal)),
                    OnChange::Restart => {
                        if let Some(signal) = stop(&mut running, &mut signals).await {
                            return Ended::Program(signalled(signal));
                        }
                        running = match start(program, &current) {
                            Ok(running) => running,
                            Err(failure) => return Ended::Failed(Failed::of_the_run(failure)),
                        };
                    }
                }
            }
            Err(failure) => {
                errors += 1;
                asked = failure.asked();
                let failed = vec![Failed::in_delivery(name, failure)];
                let news = trouble.add_pass(failed, Timestamp::now(), Instant::now());
                for Failed { failure, .. } in &news.fresh {
                    tracing::error!(
                        delivery = name, class = %failure.class, reason = %failure.what,
                        hint = failure.hint, "the program runs on with what it has",
                    );
                }
                let known = news.known.iter();
                known.for_each(|failed| failed.log_again(news.still));
            }
        }
    }
}

/// The first environment; waits until the deadline.
async fn first(
    batch: &Batch<'_>,
    deadline: Duration,
    files: &mut file_watch::WatchedFiles,
    followed: &Followed,
) -> Result<Environment, Failure> {
    let end = Instant::now() + deadline;
    let mut errors = 0;
    loop {
        let _ = files.changed().await;
        let asked = match environment(batch).await {
            Ok(environment) => return Ok(environment),
            Err(failure) if Instant::now() >= end || failure.class != Class::Unavailable => {
                return Err(failure);
            }
            Err(failure) => {
                tracing::warn!(reason = %failure.what, "no environment yet");
                failure.asked()
            }
        };
        errors += 1;
        batch.rest(errors, asked, files, followed).await;
    }
}

/// Does some work while the program runs, and passes signals on meanwhile, however long the work
/// takes. Gives the program's exit status, if the program ended.
async fn while_running<T>(
    running: &mut RunningProgram,
    signals: &mut mpsc::Receiver<Signal>,
    work: impl Future<Output = T>,
) -> Result<T, ExitStatus> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            status = ended(running) => return Err(status),
            Some(signal) = signals.recv() => running.signal(signal),
            done = &mut work => return Ok(done),
        }
    }
}

/// Waits for a signal that would end a program without a handler.
async fn last(signals: &mut mpsc::Receiver<Signal>) -> Signal {
    loop {
        match signals.recv().await {
            Some(signal) if signal == Signal::WINCH => {}
            Some(signal) => return signal,
            None => std::future::pending().await,
        }
    }
}

async fn environment(batch: &Batch<'_>) -> Result<Environment, Failure> {
    batch.waits.begin_pass(batch.world);
    let world = batch.world.for_a_pass();
    let fetched = source::fetch_all(batch.group, &world).await;
    let [delivery] = batch.group.deliveries.as_slice() else {
        return Err(Failure::new(
            Class::Bug,
            "not exactly one delivery is watched",
        ));
    };
    rendered(delivery, &fetched, &world)
}

fn start(
    watched: &WatchedProgram<'_>,
    environment: &Environment,
) -> Result<RunningProgram, Failure> {
    let program = Program::find_with(watched.command, environment, watched.path)?;
    let pid = program.start(environment, watched.core_limit)?;
    Ok(RunningProgram::from_child(pid, KillScope::Itself))
}

/// Ends the program: SIGTERM, then SIGKILL. Returns a signal that came meanwhile and asks us to
/// end.
async fn stop(
    running: &mut RunningProgram,
    signals: &mut mpsc::Receiver<Signal>,
) -> Option<Signal> {
    running.signal(Signal::TERM);
    let end = Instant::now() + GRACE;
    let mut asked = None;
    loop {
        tokio::select! {
            _ = ended(running) => return asked,
            Some(signal) = signals.recv() => {
                running.signal(signal);
                if signal == Signal::TERM || signal == Signal::INT {
                    asked = Some(signal);
                }
            }
            () = tokio::time::sleep_until(end) => {
                tracing::warn!("it did not end within {} s and is killed", GRACE.as_secs());
                running.signal(Signal::KILL);
                ended(running).await;
                return asked;
            }
        }
    }
}

async fn ended(running: &mut RunningProgram) -> ExitStatus {
    let mut children = signal(SignalKind::child()).ok();
    loop {
        if let Some(status) = running.ended() {
            return status;
        }
        match &mut children {
            // The reaper waits for the same signal, and this may delay ours.
            Some(children) => drop(timeout(Duration::from_millis(500), children.recv()).await),
            None => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The signals that are passed on, without those that stay ignored.
fn signals() -> mpsc::Receiver<Signal> {
    let handed = [
        (SignalKind::terminate(), Signal::TERM),
        (SignalKind::interrupt(), Signal::INT),
        (SignalKind::hangup(), Signal::HUP),
        (SignalKind::quit(), Signal::QUIT),
        (SignalKind::user_defined1(), Signal::USR1),
        (SignalKind::user_defined2(), Signal::USR2),
        (SignalKind::window_change(), Signal::WINCH),
    ];
    let (send, receive) = mpsc::channel(16);
    for (kind, number) in handed {
        let Some(mut heard) = heard(kind) else {
            continue;
        };
        let send = send.clone();
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                if send.send(number).await.is_err() {
                    return;
                }
            }
        });
    }
    receive
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn signalled(signal: Signal) -> u8 {
    u8::try_from(128 + signal.as_raw()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_change_is_read() {
        let rows = [
            ("restart", Some(OnChange::Restart)),
            ("HUP", Some(OnChange::Signal(SignalName::Hup))),
            ("SIGUSR1", Some(OnChange::Signal(SignalName::Usr1))),
            ("KILL", None),
            ("", None),
        ];
        for (text, want) in rows {
            assert_eq!(OnChange::parse(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn its_end_is_ours() {
        for (raw, want) in [(0, 0), (7 << 8, 7), (15, 143), (9, 137)] {
            assert_eq!(code(ExitStatus::from_raw(raw)), want, "{raw}");
        }
    }
}
