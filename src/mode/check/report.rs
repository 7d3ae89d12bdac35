//! The report of `check`, for people and for programs: names, fingerprints and reasons, never a
//! value, never a key.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::base::failure::Failure;
use crate::base::printable;
use crate::base::style::Format;
use crate::envelope::recipient::shortened;
use crate::mode::missing_rights::{AccessReport, MissingRight};
use crate::pass::outcome::{Failed, counted};
use crate::pass::source::inspect::{AtHand, Inspected, Recipient};

/// Everything that was checked.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) deliveries: usize,
    pub(super) vault_servers: usize,
    /// Number of manifest files.
    pub(super) manifests: usize,
    /// Files that the configuration names and that do not exist here.
    pub(super) absent: Vec<String>,
    pub(super) keys: AtHand,
    pub(super) sources: Vec<Inspected>,
    /// Number of deliveries that need a server: only their files were checked.
    pub(super) from_servers: usize,
    /// Deliveries that cannot be rendered although their sources open.
    pub(super) unrendered: Vec<Failed>,
    pub(super) differences: Vec<Difference>,
    /// Rights, if they were asked for.
    pub(super) access: Option<AccessReport>,
}

/// A target, or a key in it, and how it differs from the wanted state.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) delivery: String,
    pub(super) target: String,
    pub(super) key: Option<String>,
    pub(super) state: String,
}

impl Report {
    pub(super) fn show(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => format!("{:#}\n", self.document()),
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        let _ = write!(
            out,
            "configuration: {}, {}",
            counted(self.deliveries, "delivery", "deliveries"),
            counted(self.vault_servers, "Vault server", "Vault servers")
        );
        if self.manifests > 0 {
            let files = counted(self.manifests, "file of manifests", "files of manifests");
            let _ = write!(out, ", {files}");
        }
        out.push('\n');
        for (kind, keys) in [("age", &self.keys.age), ("sealing", &self.keys.sealing)] {
            if !keys.is_empty() {
                line(&mut out, &format!("{kind} keys at hand: {}", listed(keys)));
            }
        }
        for absent in &self.absent {
            line(&mut out, &format!("not here: {absent}"));
        }
        for source in &self.sources {
            source_text(source, &mut out);
        }
        if self.from_servers > 0 {
            let _ = writeln!(
                out,
                "{} from a server, not looked at here: see `keyferry plan`",
                counted(self.from_servers, "delivery reads", "deliveries read")
            );
        }
        for failed in &self.unrendered {
            let delivery = failed.delivery.as_deref().unwrap_or_default();
            let class = failed.failure.class;
            line(&mut out, &format!("{delivery}: cannot be made: {class}"));
        }
        for Difference {
            delivery,
            target,
            key,
            state,
        } in &self.differences
        {
            let text = match key {
                Some(key) => format!("{delivery}: {target}: {key} {state}"),
                None => format!("{delivery}: {target} {state}"),
            };
            line(&mut out, &text);
        }
        if let Some(access) = &self.access {
            access_text(access, &mut out);
        }
        out
    }

    fn document(&self) -> Value {
        let differences: Vec<Value> = self
            .differences
            .iter()
            .map(|one| {
                json!({
                    "delivery": one.delivery, "target": one.target, "key": one.key,
                    "state": one.state,
                })
            })
            .collect();
        let unrendered: Vec<Value> = self
            .unrendered
            .iter()
            .map(|one| json!({"delivery": one.delivery, "failure": failure_document(&one.failure)}))
            .collect();
        let access = self.access.as_ref().map(access_document);
        json!({
            "access": access,
            "deliveries": self.deliveries,
            "vaultServers": self.vault_servers,
            "manifests": self.manifests,
            "absent": self.absent,
            "keys": {"age": self.keys.age, "sealing": self.keys.sealing},
            "sources": self.sources.iter().map(source_document).collect::<Vec<_>>(),
            "fromServers": self.from_servers,
            "unrendered": unrendered,
            "differences": differences,
        })
    }
}

/// Writes one line, whatever characters the names in it contain.
fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{}", printable::line(text));
}

fn access_text(access: &AccessReport, out: &mut String) {
    let AccessReport {
        asked,
        missing,
        failures,
    } = access;
    let asked = counted(*asked, "right", "rights");
    line(
        out,
        &format!("access: {asked} asked for, {} missing", missing.len()),
    );
    for MissingRight { at, verb, on, lost } in missing {
        let lost = lost.as_ref();
        let lost = lost.map(|lost| format!(" (optional: without it, {lost})"));
        let lost = lost.unwrap_or_default();
        line(out, &format!("  {at:<14}{verb:<8}{on}{lost}"));
    }
    for failure in failures {
        line(
            out,
            &format!("  not asked: {} [{}]", failure.what, failure.class),
        );
    }
}

fn access_document(access: &AccessReport) -> Value {
    let missing = access.missing.iter().map(|one| {
        json!({
            "at": one.at, "verb": one.verb, "on": one.on, "optional": one.lost.is_some(),
            "lost": one.lost,
        })
    });
    json!({
        "asked": access.asked,
        "missing": missing.collect::<Vec<_>>(),
        "failures": access.failures.iter().map(failure_document).collect::<Vec<_>>(),
    })
}

fn source_text(source: &Inspected, out: &mut String) {
    let format = match source.format.as_str() {
        "" => String::new(),
        format => format!(" ({format})"),
    };
    let readers = source.deliveries.join(", ");
    line(out, &format!("{}{format}, for {readers}", source.source));
    let mut line = |label: &str, text: String| line(out, &format!("  {label:<12}{text}"));
    if !source.recipients.is_empty() {
        let recipients: Vec<String> = source.recipients.iter().map(recipient_text).collect();
        line("recipients", recipients.join(", "));
    }
    if !source.opened_by.is_empty() {
        line("opened by", listed(&source.opened_by));
    }
    line("integrity", source.integrity.word().to_owned());
    if source.unverified > 0 {
        let what = format!(
            "{} clear values are covered by nothing (mac_only_encrypted)",
            source.unverified
        );
        line("warning", what);
    }
    for path in &source.clear_secrets {
        line(
            "warning",
            format!("`{path}` is clear and looks like a secret"),
        );
    }
    // The reason is printed as a separate error below the report.
    for failure in &source.failures {
        line("failed", failure.class.to_string());
    }
}

/// Public keys in one line.
fn listed(keys: &[String]) -> String {
    let names: Vec<_> = keys.iter().map(|key| shortened(key)).collect();
    names.join(", ")
}

fn recipient_text(recipient: &Recipient) -> String {
    let mut text = match (recipient.kind.as_str(), recipient.name.as_str()) {
        ("age", name) => shortened(name).into_owned(),
        (kind, "") => kind.to_owned(),
        (kind, name) => format!("{kind} {}", shortened(name)),
    };
    if !recipient.supported {
        text.push_str(" (not supported)");
    }
    if recipient.listed == Some(false) {
        text.push_str(" (not in keys.recipients)");
    }
    text
}

fn source_document(source: &Inspected) -> Value {
    let recipients: Vec<Value> = source
        .recipients
        .iter()
        .map(|one| {
            json!({
                "kind": one.kind, "name": one.name, "supported": one.supported,
                "listed": one.listed,
            })
        })
        .collect();
    json!({
        "source": source.source.to_string(),
        "format": source.format,
        "deliveries": source.deliveries,
        "recipients": recipients,
        "openedBy": source.opened_by,
        "integrity": source.integrity.word(),
        "unverified": source.unverified,
        "clearSecrets": source.clear_secrets,
        "failures": source.failures.iter().map(failure_document).collect::<Vec<_>>(),
    })
}

fn failure_document(failure: &Failure) -> Value {
    json!({"class": failure.class.word(), "reason": failure.what, "hint": failure.hint})
}
