//! Compares grants of Vault with the server, shows them and writes them. A policy is ours if its
//! first line says so, and a role is ours if it has only such policies. Everything else is left
//! alone.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::granted::GrantedConfig;
use super::policy::{OURS, hcl};
use super::vault::{Grant, choose_engines, grants};
use super::vault_role::Terms;
use crate::base::failure::{Class, Failure};
use crate::base::printable;
use crate::config::{VaultAuth, VaultServer};
use crate::mode::Ended;
use crate::pass::outcome::Failed;
use crate::process::time_limit::TimeLimit;
use crate::vault::Session;
use crate::vault::admin::{Role, RoleField};

/// The identity that writes. The identities in the configurations only receive the grants.
#[derive(Debug, Clone)]
pub enum Granter {
    /// A file with a token.
    Token(std::path::PathBuf),
    /// Another role of the same auth method.
    Role(String),
}

/// The changes that are allowed.
#[derive(Debug, Clone, Copy)]
pub struct Consent {
    /// Only show the changes.
    pub dry_run: bool,
    /// Take over policies and roles that are not ours.
    pub adopt: bool,
}

/// Compares, shows, and writes if that is wanted. The text is for standard output.
pub async fn apply(
    all: &[GrantedConfig],
    terms: &Terms,
    caller: &Granter,
    consent: Consent,
    time_limit: TimeLimit,
) -> (Ended, String) {
    let mut out = String::new();
    let ended = match grants(all, terms).await {
        Ok(mut grants) => apply_each(&mut grants, caller, consent, time_limit, &mut out).await,
        Err(failure) => Ended::Failed(Failed::of_the_run(failure)),
    };
    (ended, out)
}

async fn apply_each(
    grants: &mut [Grant],
    caller: &Granter,
    consent: Consent,
    time_limit: TimeLimit,
    out: &mut String,
) -> Ended {
    let mut failures = Vec::new();
    let mut changes = 0;
    for grant in grants {
        let session = match caller.session(&grant.server, time_limit) {
            Ok(session) => session,
            Err(failure) => {
                failures.push(Failed::of_the_run(failure));
                continue;
            }
        };
        match apply_grant(grant, &session, consent, out).await {
            Ok(done) => {
                changes += done.changes;
                failures.extend(done.refused.into_iter().map(Failed::of_the_run));
            }
            Err(failure) => failures.push(Failed::of_the_run(failure)),
        }
        session.close().await;
    }
    match Failed::worst(&failures) {
        Some(worst) => Ended::Failed(worst),
        None if consent.dry_run && changes > 0 => Ended::Differs("there are changes".to_owned()),
        None if changes == 0 => Ended::Well("nothing to do".to_owned()),
        None => Ended::Well(format!("{changes} written")),
    }
}

impl Granter {
    fn session(&self, server: &VaultServer, time_limit: TimeLimit) -> Result<Session, Failure> {
        let mut server = server.clone();
        let no_role = || {
            let what = format!(
                "vault `{}`: its auth method has no roles to log in with by name",
                server.name
            );
            Failure::new(Class::Usage, what).hint("give a token: `--token-file FILE`")
        };
        server.auth = match self {
            Self::Token(file) => VaultAuth::Token { file: file.clone() },
            Self::Role(role) => server.auth.in_role(role).ok_or_else(no_role)?,
        };
        Ok(Session::new(server, time_limit))
    }
}

/// The result of one grant.
#[derive(Default)]
struct GrantResult {
    changes: usize,
    refused: Vec<Failure>,
}

async fn apply_grant(
    grant: &mut Grant,
    session: &Session,
    consent: Consent,
    out: &mut String,
) -> Result<GrantResult, Failure> {
    choose_engines(&mut grant.paths, session).await?;
    for remark in &grant.remarks {
        let _ = writeln!(out, "# {}", printable::line(remark));
    }
    let mut done = GrantResult::default();
    let wanted = hcl(grant);
    let stored = session.policy(&grant.policy).await?;
    let is_ours = stored.as_deref().is_none_or(is_ours);
    let subject = format!("policy {}", grant.policy);
    let verdict = Verdict::decide(
        stored.is_some(),
        stored.as_ref() == Some(&wanted),
        is_ours,
        consent,
    );
    let difference = lines(stored.as_deref().unwrap_or_default(), &wanted);
    done.add(out, &subject, verdict, &difference);
    if verdict.writes() && !consent.dry_run {
        session.write_policy(&grant.policy, &wanted).await?;
    }
    let Some(role) = &grant.role else {
        return Ok(done);
    };
    let stored = session.role(role).await?;
    let is_ours = match &stored {
        Some(stored) => has_only_ours(stored, &grant.policy, session).await?,
        None => true,
    };
    let same = stored.as_ref() == Some(role);
    // A foreign role would give the rights of our policy to everybody who may log in to it.
    let verdict = Verdict::decide(stored.is_some(), same, is_ours, consent);
    done.add(
        out,
        &format!("role {}", role.path),
        verdict,
        &fields(stored.as_ref(), role),
    );
    if verdict.writes() && !consent.dry_run {
        session.write_role(role).await?;
    }
    Ok(done)
}

fn is_ours(policy: &str) -> bool {
    policy.starts_with(OURS)
}

/// Whether all policies of a role are ours. A role without policies is not ours.
async fn has_only_ours(stored: &Role, own: &str, session: &Session) -> Result<bool, Failure> {
    let Some(RoleField::List(policies)) = stored.fields.get("token_policies") else {
        return Ok(false);
    };
    for name in policies {
        // The grant's own policy is compared, and refused, separately.
        if name != own && !session.policy(name).await?.as_deref().is_some_and(is_ours) {
            return Ok(false);
        }
    }
    Ok(!policies.is_empty())
}

/// The decision for a policy or a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keep,
    Create,
    Update,
    Adopt,
    Refuse,
}

impl Verdict {
    fn decide(exists: bool, same: bool, is_ours: bool, consent: Consent) -> Self {
        match (exists, same, is_ours, consent.adopt) {
            (false, ..) => Self::Create,
            (true, true, ..) => Self::Keep,
            (true, false, true, _) => Self::Update,
            (true, false, false, true) => Self::Adopt,
            (true, false, false, false) => Self::Refuse,
        }
    }

    fn writes(self) -> bool {
        match self {
            Self::Create | Self::Update | Self::Adopt => true,
            Self::Keep | Self::Refuse => false,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Create => "create",
            Self::Update => "update",
            Self::Adopt => "adopt",
            Self::Refuse => "refuse",
        }
    }
}

impl GrantResult {
    fn add(&mut self, out: &mut String, subject: &str, verdict: Verdict, difference: &[String]) {
        let _ = writeln!(out, "{:<8}{}", verdict.word(), printable::line(subject));
        if verdict != Verdict::Keep {
            for line in difference {
                let _ = writeln!(out, "        {}", printable::line(line));
            }
        }
        self.changes += usize::from(verdict.writes());
        if verdict == Verdict::Refuse {
            self.refused.push(
                Failure::new(
                    Class::Refused,
                    format!("{subject} differs and was not made by `keyferry grants`"),
                )
                .hint("compare it with `--dry-run`, then take it over with `--adopt`"),
            );
        }
    }
}

/// Lines that are removed and lines that are added.
fn lines(stored: &str, wanted: &str) -> Vec<String> {
    let less = stored
        .lines()
        .filter(|line| !wanted.lines().any(|other| other == *line));
    let more = wanted
        .lines()
        .filter(|line| !stored.lines().any(|other| other == *line));
    let less = less.map(|line| format!("- {line}"));
    less.chain(more.map(|line| format!("+ {line}"))).collect()
}

fn fields(stored: Option<&Role>, wanted: &Role) -> Vec<String> {
    let none = BTreeMap::new();
    let stored = stored.map_or(&none, |role| &role.fields);
    let mut all = Vec::new();
    for (name, value) in &wanted.fields {
        let before = stored.get(name);
        if before != Some(value) {
            all.extend(before.map(|before| format!("- {name}={before}")));
            all.push(format!("+ {name}={value}"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_is_changed_without_consent() {
        let consent = |adopt| Consent {
            dry_run: false,
            adopt,
        };
        let rows = [
            ((false, false, true, false), Verdict::Create),
            ((true, true, false, false), Verdict::Keep),
            ((true, false, true, false), Verdict::Update),
            ((true, false, false, false), Verdict::Refuse),
            ((true, false, false, true), Verdict::Adopt),
        ];
        for ((exists, same, ours, adopt), want) in rows {
            let seen = Verdict::decide(exists, same, ours, consent(adopt));
            assert_eq!(seen, want, "{exists} {same} {ours} {adopt}");
        }
    }

    #[test]
    fn a_difference_names_the_lines_that_go_and_come() {
        assert_eq!(lines("a\nb\n", "b\nc\n"), ["- a", "+ c"]);
    }
}
