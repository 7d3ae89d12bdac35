//! What only a sidecar reads: times, what to do about stale data, reactions.

use std::time::Duration;

use super::super::at::{At, Shown};
use super::super::raw::{
    RawEndWith, RawOnFailure, RawReaction, RawRestart, RawRun, RawSidecar, RawSignal,
    RawSignalName, RawWebhook,
};
use super::super::sidecar::{
    Collector, OnFailure, Process, Reaction, Sidecar, Staleness, Workload,
};
use super::super::{FileFormat, Location, SecretRef, Target};
use super::Checker;
use crate::format::address::is_loopback;

/// gRPC has no port of its own that could be left out.
fn collector(text: &str) -> Option<Collector> {
    let uri: http::Uri = text.parse().ok()?;
    let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let authority = uri
        .authority()
        .filter(|authority| plain && !authority.as_str().contains('@'))?;
    match (uri.scheme_str()?, authority.port_u16()) {
        ("grpc", Some(_)) => Some(Collector::Grpc(format!("http://{authority}"))),
        ("grpcs", Some(_)) => Some(Collector::Grpc(format!("https://{authority}"))),
        (scheme @ ("http" | "https"), _) => {
            Some(Collector::Http(format!("{scheme}://{authority}")))
        }
        _ => None,
    }
}

const RUN: Duration = Duration::from_secs(30);

impl Checker<'_> {
    pub(super) fn sidecar(&mut self, written: At<RawSidecar>) -> Sidecar {
        let RawSidecar {
            refresh,
            state,
            end_with,
            otlp,
            events,
            status_page,
            windows,
        } = written.value;
        Sidecar {
            end_with: end_with.and_then(|written| self.end_with(written)),
            refresh: refresh.and_then(|text| self.duration(&text)),
            state: state.map(|folder| self.target_path(&folder)),
            otlp: otlp.and_then(|address| self.collector(&address)),
            events: events.unwrap_or(true),
            status_page: status_page.unwrap_or(true),
            windows: self.windows(windows),
        }
    }

    fn collector(&mut self, written: &At<Shown>) -> Option<Collector> {
        let text = self.text(written);
        let found = collector(&text);
        if found.is_none() {
            let at = self.at(written);
            self.problem(
                at,
                format!("`{text}` is no address of a collector"),
                "write it as grpc://host:4317 or http://host:4318, without a path; with TLS \
                 grpcs:// or https://",
            );
        }
        found
    }

    /// Only a definite absence may delete: see rule (a) of the faults.
    pub(super) fn on_failure(
        &mut self,
        name: &str,
        may_delete: bool,
        written: Option<At<RawOnFailure>>,
    ) -> OnFailure {
        let Some(written) = written else {
            return OnFailure::default();
        };
        match written.value {
            RawOnFailure::Keep => OnFailure::Keep,
            RawOnFailure::Unready => OnFailure::Unready,
            RawOnFailure::Delete if may_delete => OnFailure::Delete,
            RawOnFailure::Delete => {
                let at = self.at(&written);
                self.problem(
                    at,
                    format!(
                        "`{name}` cannot delete: a server that refuses or is down does not \
                        say that the data is gone"
                    ),
                    "write keep or unready; only `onMissing` may delete",
                );
                OnFailure::Keep
            }
        }
    }

    /// What was only edited cannot be removed or recognised as a whole; what is in a cluster has no
    /// age that we could know.
    pub(super) fn staleness_suits(&mut self, at: &Location, rules: &Staleness, to: &[Target]) {
        let edits = |target: &Target| {
            matches!(
                target, Target::File(file) if file.format == FileFormat::Dotenv { edit: true }
            )
        };
        let in_cluster = |target: &Target| matches!(target, Target::Secret(_));
        if rules.on_missing == OnFailure::Delete && to.iter().any(edits) {
            self.problem(
                at.clone(),
                "`onMissing: delete` cannot remove lines of a file that is edited",
                "write keep or unready, or give it a file of its own",
            );
        }
        if rules.accept_cached && to.iter().any(|target| edits(target) || in_cluster(target)) {
            self.problem(
                at.clone(),
                "`acceptCached` is for whole files",
                "remove it here, or give the other targets a delivery of their own",
            );
        }
    }

    pub(super) fn reaction(&mut self, written: At<RawReaction>) -> Option<Reaction> {
        let at = self.at(&written);
        let RawReaction {
            signal,
            run,
            restart,
            webhook,
        } = written.value;
        let mut given = Vec::new();
        if let Some(signal) = signal {
            given.push(self.signal(&at, signal));
        }
        if let Some(run) = run {
            given.push(self.command(&at, run));
        }
        if let Some(restart) = restart {
            given.push(self.restart(&at, restart));
        }
        if let Some(webhook) = webhook {
            given.push(self.webhook(webhook));
        }
        self.only(&at, "a reaction", "signal, run, restart, webhook", given)
    }

    fn end_with(&mut self, written: At<RawEndWith>) -> Option<Process> {
        let at = self.at(&written);
        let RawEndWith { process, pid_file } = written.value;
        self.process(&at, "`endWith`", process, pid_file)
    }

    fn signal(&mut self, at: &Location, written: RawSignal) -> Option<Reaction> {
        let RawSignal {
            process,
            pid_file,
            signal,
        } = written;
        Some(Reaction::Signal {
            to: self.process(at, "`signal`", process, pid_file)?,
            signal: signal.unwrap_or(RawSignalName::Hup),
        })
    }

    fn process(
        &mut self,
        at: &Location,
        what: &str,
        name: Option<At<Shown>>,
        pid_file: Option<At<Shown>>,
    ) -> Option<Process> {
        let mut given = Vec::new();
        if let Some(name) = name {
            let name = self.name(&name, "the program's name");
            given.push(Some(Process::Named(name)));
        }
        if let Some(file) = pid_file {
            given.push(Some(Process::PidFile(self.path(&file))));
        }
        self.only(at, what, "process, pidFile", given)
    }

    fn command(&mut self, at: &Location, written: RawRun) -> Option<Reaction> {
        let RawRun { command, timeout } = written;
        if command.is_empty() {
            self.problem(
                at.clone(),
                "`run` has no command",
                "write `command: [program, argument]`",
            );
            return None;
        }
        Some(Reaction::Run {
            command: command.iter().map(|part| self.text(part)).collect(),
            timeout: timeout.map_or(Some(RUN), |text| self.duration(&text))?,
        })
    }

    fn restart(&mut self, at: &Location, written: RawRestart) -> Option<Reaction> {
        let RawRestart {
            deployment,
            stateful_set,
            daemon_set,
            wait,
        } = written;
        let given = [
            (Workload::Deployment, deployment),
            (Workload::StatefulSet, stateful_set),
            (Workload::DaemonSet, daemon_set),
        ];
        let given = given.into_iter();
        let given = given.filter_map(|(kind, name)| Some(Some((kind, name?))));
        let given: Vec<Option<(Workload, At<Shown>)>> = given.collect();
        let known = "deployment, statefulSet, daemonSet";
        let wait = wait.and_then(|text| self.duration(&text));
        let (kind, name) = self.only(at, "`restart`", known, given)?;
        let part = |value: &str| At {
            value: Shown(value.to_owned()),
            line: name.line,
            column: name.column,
        };
        let text = self.text(&name);
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(self.namespace(&part(namespace))), name),
            None => (None, text.as_str()),
        };
        Some(Reaction::Restart {
            kind,
            at: SecretRef {
                namespace,
                name: self.object_name(&part(name), "the workload's name"),
            },
            wait,
        })
    }

    fn webhook(&mut self, written: RawWebhook) -> Option<Reaction> {
        let RawWebhook {
            url,
            ca_file,
            key_file,
        } = written;
        let text = self.text(&url);
        let uri: Option<http::Uri> = text.parse().ok();
        let host = uri.as_ref().and_then(|uri| uri.host().map(str::to_owned));
        let scheme = uri.as_ref().and_then(http::Uri::scheme_str);
        let local = host.as_deref().is_some_and(is_loopback);
        if !(host.is_some() && (scheme == Some("https") || (scheme == Some("http") && local))) {
            let at = self.at(&url);
            self.problem(
                at,
                "the webhook's address is not https://, nor http:// on this machine",
                "write it as https://host/path",
            );
            return None;
        }
        Some(Reaction::Webhook {
            url: text,
            ca_file: ca_file.map(|file| self.path(&file)),
            key_file: key_file.map(|file| self.path(&file)),
        })
    }
}
