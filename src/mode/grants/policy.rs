//! Grants of Vault as text: HCL of the policies, commands of the `vault` program, JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::vault::Grant;
use crate::base::printable;
use crate::vault::rights::Need;

/// How grants of Vault are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GrantFormat {
    /// Commands of the `vault` program, for a shell.
    Commands,
    /// The policies alone.
    Hcl,
    /// One JSON document of policies and roles.
    Json,
}

/// The first words of a policy that keyferry wrote.
pub(super) const OURS: &str = "# keyferry:";

pub(super) fn show(grants: &[Grant], format: GrantFormat, head: &str) -> String {
    match format {
        GrantFormat::Commands => commands(grants, head),
        GrantFormat::Hcl => {
            let policies: Vec<String> = grants.iter().map(hcl).collect();
            policies.join("\n")
        }
        GrantFormat::Json => format!("{:#}\n", document(grants)),
    }
}

/// The text of a policy. Equal grants give equal text.
pub(super) fn hcl(grant: &Grant) -> String {
    let accounts: Vec<String> = grant.accounts.iter().map(ToString::to_string).collect();
    let mut out = format!("{OURS} {}\n", printable::line(&accounts.join(", ")));
    for ((path, capability), need) in &grant.paths {
        match need {
            Need::Necessary => {}
            Need::EitherOf => {
                let _ = writeln!(
                    out,
                    "# one of two: the path with `data/` holds where the mount is KV version 2"
                );
            }
            Need::BesideAge => {
                let _ = writeln!(out, "# for SOPS files that no age key opens");
            }
            Need::Helpful => {
                let _ = writeln!(
                    out,
                    "# optional: without it a sidecar reads the whole secret at each refresh"
                );
            }
        }
        let path = Value::from(path.as_str());
        let _ = writeln!(
            out,
            "path {path} {{ capabilities = [\"{}\"] }}",
            capability.word()
        );
    }
    out
}

fn commands(grants: &[Grant], head: &str) -> String {
    let mut out = head.to_owned();
    for grant in grants {
        let namespace = match &grant.server.namespace {
            Some(namespace) => format!(" -namespace={}", quoted(namespace)),
            None => String::new(),
        };
        let _ = writeln!(out, "\n# at {}", printable::line(&grant.server.address));
        for remark in &grant.remarks {
            let _ = writeln!(out, "# {}", printable::line(remark));
        }
        let _ = write!(
            out,
            "vault policy write{namespace} {} - <<'END'\n{}END\n",
            quoted(&grant.policy),
            hcl(grant)
        );
        if let Some(role) = &grant.role {
            let _ = write!(out, "vault write{namespace} {}", quoted(&role.path));
            for (name, field) in &role.fields {
                let _ = write!(out, " \\\n  {name}={}", quoted(&field.to_string()));
            }
            out.push('\n');
        }
    }
    out
}

fn document(grants: &[Grant]) -> Value {
    let all = grants.iter().map(|grant| {
        let paths = grant.paths.iter().map(|((path, capability), need)| {
            json!({
                "path": path, "capabilities": [capability.word()],
                "optional": matches!(need, Need::Helpful | Need::BesideAge),
            })
        });
        json!({
            "address": grant.server.address,
            "namespace": grant.server.namespace,
            "policy": {
                "name": grant.policy, "hcl": hcl(grant), "paths": paths.collect::<Vec<_>>(),
            },
            "role": grant.role.as_ref().map(|role| json!({"path": role.path, "data": role.json()})),
            "remarks": grant.remarks,
        })
    });
    json!({"grants": all.collect::<Vec<_>>()})
}

/// One word of a shell.
fn quoted(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ',');
    match !text.is_empty() && text.chars().all(is_word) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
