//! The rules, one function per kind of target: what stands there, what must stand there, what
//! follows.

use std::collections::{BTreeMap, BTreeSet};

use super::action::{Action, Change, KeyChange, Reason};
use super::variables;
use crate::base::artifact::{
    Artifact, EnvLine, FileAccess, FileArtifact, FileBody, ObjectName, Owner, SecretArtifact,
};
use crate::base::failure::{Class, Failure};
use crate::base::material::SecretBytes;
use crate::base::observed::{FileSetState, FileState, SecretState, Verdict};
use crate::copy_rules::signature::SIGNATURE;
use crate::render::formats::shared_dotenv::{EditFlaw, EnvFile, FoundValue};

type Decision = (Action, Vec<KeyChange>);

/// Every key of an artifact as a new one.
pub(super) fn added(artifact: &Artifact) -> Vec<KeyChange> {
    let key = |(name, value): (&String, &SecretBytes)| key(name, value.len(), Change::Added);
    match artifact {
        Artifact::File(file) => match &file.body {
            FileBody::Lines(lines) => {
                let lines = lines.iter();
                lines.map(|line| key((&line.name, &line.value))).collect()
            }
            FileBody::Whole(bytes) => variables::added(file.variables, bytes)
                .unwrap_or_else(|| vec![whole_file(bytes, Change::Added)]),
        },
        Artifact::FileSet(set) => set.files.iter().map(key).collect(),
        Artifact::Secret(secret) => secret.data.iter().map(key).collect(),
        Artifact::PullSecret(_) | Artifact::Leftover(_) => Vec::new(),
    }
}

fn key(name: &str, size: usize, change: Change) -> KeyChange {
    KeyChange {
        key: name.to_owned(),
        size: Some(size),
        change,
    }
}

fn whole_file(bytes: &SecretBytes, change: Change) -> KeyChange {
    key("content", bytes.len(), change)
}

/// A file: content first, then mode and owner.
pub(super) fn file(artifact: &Artifact, state: &FileState) -> Decision {
    let Artifact::File(file) = artifact else {
        return mismatch(artifact);
    };
    let keys = match &file.body {
        FileBody::Whole(bytes) if state.bytes.as_ref() == Some(bytes) => {
            vec![whole_file(bytes, Change::Same)]
        }
        FileBody::Whole(bytes) => variables::compared(file.variables, bytes, state.bytes.as_ref())
            .unwrap_or_else(|| vec![whole_file(bytes, Change::Changed)]),
        FileBody::Lines(lines) => {
            let Some(old) = &state.bytes else {
                return (Action::Refuse(too_large(file)), Vec::new());
            };
            let read = match EnvFile::read(old.expose(), lines) {
                Ok(read) => read,
                Err(flaw) => return (Action::Refuse(unfit(file, flaw)), Vec::new()),
            };
            let change = |line: &EnvLine| match read.find(&line.name) {
                FoundValue::Nothing => Change::Added,
                FoundValue::Value(value) if value == line.value => Change::Same,
                FoundValue::Value(_) | FoundValue::Unclear => Change::Changed,
            };
            let lines = lines.iter();
            lines
                .map(|line| key(&line.name, line.value.len(), change(line)))
                .collect()
        }
    };
    let action = if keys.iter().any(|key| key.change != Change::Same) {
        Action::Update(Reason::Content)
    } else if let Some(damage) = &state.damage {
        Action::Update(Reason::Damage(damage.clone()))
    } else if exposed(&file.access, state) {
        Action::Keep
    } else {
        Action::Update(Reason::Access)
    };
    (action, keys)
}

fn unfit(file: &FileArtifact, flaw: EditFlaw) -> Failure {
    Failure::new(
        Class::Refused,
        format!("file {} cannot be edited: {flaw}", file.path.display()),
    )
    .hint("mend the file by hand first")
}

fn too_large(file: &FileArtifact) -> Failure {
    Failure::new(
        Class::Refused,
        format!("file {} is too large to be edited", file.path.display()),
    )
    .hint("an env file has at most 16 MiB")
}

/// Whether mode and owner are as configured.
fn exposed(access: &FileAccess, state: &FileState) -> bool {
    (access.keep_mode || state.mode == access.mode)
        && access.uid.is_none_or(|uid| uid == state.uid)
        && access.gid.is_none_or(|gid| gid == state.gid)
}

/// What a change does to a file that stands, besides its variables.
pub(super) fn changes_beside_variables(file: &FileArtifact, state: &FileState) -> Vec<String> {
    let FileArtifact { body, access, .. } = file;
    let mut notes = Vec::new();
    if matches!(body, FileBody::Whole(bytes) if state.bytes.as_ref() != Some(bytes)) {
        notes.push("replaces the whole file that stands there".to_owned());
    }
    if !access.keep_mode && state.mode != access.mode {
        notes.push(format!(
            "mode {:04o} becomes {:04o}",
            state.mode, access.mode
        ));
    }
    for (what, old, new) in [
        ("owner", state.uid, access.uid),
        ("group", state.gid, access.gid),
    ] {
        if let Some(new) = new.filter(|new| *new != old) {
            notes.push(format!("{what} {old} becomes {new}"));
        }
    }
    notes
}

/// A folder of files: any difference lays the whole set again, so that readers see one switch.
pub(super) fn file_set(artifact: &Artifact, state: &FileSetState) -> Decision {
    let Artifact::FileSet(set) = artifact else {
        return mismatch(artifact);
    };
    let contents = state
        .files
        .iter()
        .map(|(name, file)| (name.as_str(), file.bytes.as_ref()));
    let keys = compare(&set.files, &contents.collect());
    let action = if keys.iter().any(|key| key.change != Change::Same) {
        Action::Update(Reason::Content)
    } else if let Some(damage) = &state.damage {
        Action::Update(Reason::Damage(damage.clone()))
    } else if state.files.values().all(|file| exposed(&set.access, file)) {
        Action::Keep
    } else {
        Action::Update(Reason::Access)
    };
    (action, keys)
}

/// A Secret: whose it is, then what the API server forbids to change, then content.
pub(super) fn secret(artifact: &Artifact, state: &SecretState) -> Decision {
    match artifact {
        Artifact::Secret(secret) => one_secret(secret, state),
        Artifact::File(_)
        | Artifact::FileSet(_)
        | Artifact::PullSecret(_)
        | Artifact::Leftover(_) => mismatch(artifact),
    }
}

pub(super) fn one_secret(secret: &SecretArtifact, state: &SecretState) -> Decision {
    let contents = state
        .data
        .iter()
        .map(|(name, value)| (name.as_str(), Some(value)));
    let keys = compare(&secret.data, &contents.collect());
    if !secret.may_replace(&state.owner) {
        return (Action::Refuse(not_ours(secret, &state.owner)), keys);
    }
    if state.verdict == Some(Verdict::Unknown) {
        return (Action::Refuse(unverified(secret)), keys);
    }
    let content = keys.iter().any(|key| key.change != Change::Same);
    let metadata = state.labels != secret.labels || !same_annotations(secret, state);
    let reason = if state.kind != secret.kind {
        Some(Reason::Type {
            from: state.kind.clone(),
        })
    } else if state.immutable && (content || !secret.immutable) {
        Some(Reason::Immutable)
    } else {
        None
    };
    let action = match reason {
        Some(_) if !state.others.is_empty() && !secret.conflict.force => {
            Action::Refuse(holds_more(secret, state))
        }
        Some(reason) if secret.conflict.recreate => Action::Recreate(reason),
        Some(reason) => Action::Refuse(needs_recreate(secret, &reason)),
        None if content => Action::Update(Reason::Content),
        None if taken_from(secret, state).is_some() => Action::Update(Reason::Adopt {
            from: state.owner.clone(),
        }),
        None if metadata || state.immutable != secret.immutable => Action::Update(Reason::Metadata),
        None if !state.is_told => Action::Update(Reason::Provenance),
        None => Action::Keep,
    };
    (action, keys)
}

/// Of whom a Secret is taken over, where it is not ours yet.
fn taken_from<'a>(secret: &SecretArtifact, state: &'a SecretState) -> Option<&'a Owner> {
    let name = &secret.provenance.configuration;
    let ours = matches!(&state.owner, Owner::Configuration(owner) if owner == name.as_str());
    (!ours).then_some(&state.owner)
}

/// What an action does to a Secret that stands, besides its keys.
pub(super) fn secret_notes(
    secret: &SecretArtifact,
    state: &SecretState,
    action: &Action,
) -> Vec<String> {
    let mut notes = Vec::new();
    let is_said = matches!(action, Action::Update(Reason::Adopt { .. }));
    let taken = taken_from(secret, state).filter(|_| !is_said);
    notes.extend(taken.map(|from| Reason::Adopt { from: from.clone() }.to_string()));
    if !state.others.is_empty() {
        let keys = state.others.join(", ");
        let fate = match matches!(action, Action::Recreate(_)) {
            true => "gives up",
            false => "keeps",
        };
        notes.push(format!("{fate} keys of others: {keys}"));
    }
    notes
}

/// A signature that is good stays: each one is another text, and a new key alone is no reason to
/// write.
fn same_annotations(secret: &SecretArtifact, state: &SecretState) -> bool {
    let is_signed = state.verdict == Some(Verdict::Signed);
    let others = |all: &BTreeMap<String, String>| {
        let mut others = all.clone();
        if is_signed {
            others.remove(SIGNATURE);
        }
        others
    };
    others(&secret.annotations) == others(&state.annotations)
}

fn unverified(secret: &SecretArtifact) -> Failure {
    let ObjectName { namespace, name } = &secret.at;
    Failure::new(
        Class::Refused,
        format!(
            "secret {} says that keyferry made it, and no known key signed that",
            secret.at
        ),
    )
    .hint(format!(
        "to adopt it: kubectl annotate secret -n {namespace} {name} {SIGNATURE}-; \
         docs/reflect.md, \"The key of the marks\""
    ))
}

fn not_ours(secret: &SecretArtifact, owner: &Owner) -> Failure {
    let whose = match owner {
        Owner::Stranger => "and was not made by keyferry".to_owned(),
        Owner::Unnamed | Owner::Configuration(_) | Owner::Reflector => format!("and {owner}"),
    };
    Failure::new(
        Class::Refused,
        format!("secret {} exists {whose}", secret.at),
    )
    .hint("say `adopt: true` on this target to take it over, or choose another name")
}

/// An object is made again with our keys only, so those of others would be lost.
fn holds_more(secret: &SecretArtifact, state: &SecretState) -> Failure {
    let keys = state.others.join(", ");
    let what = format!(
        "secret {} cannot be made again: it also holds keys of others: {keys}",
        secret.at
    );
    Failure::new(Class::Refused, what)
        .hint("move those keys elsewhere, or `force: true` on this target gives them up")
}

fn needs_recreate(secret: &SecretArtifact, reason: &Reason) -> Failure {
    Failure::new(
        Class::Refused,
        format!(
            "secret {} cannot be changed to {}: {reason}",
            secret.at, secret.kind
        ),
    )
    .hint("say `recreate: true` on this target to delete it and create it again")
}

/// Key by key; a content that is not held (too large) counts as different.
fn compare(
    wanted: &BTreeMap<String, SecretBytes>,
    there: &BTreeMap<&str, Option<&SecretBytes>>,
) -> Vec<KeyChange> {
    let names: BTreeSet<&str> = wanted
        .keys()
        .map(String::as_str)
        .chain(there.keys().copied())
        .collect();
    names
        .into_iter()
        .map(|name| {
            let (value, old) = (wanted.get(name), there.get(name));
            let change = match (value, old) {
                (Some(_), None) => Change::Added,
                (Some(value), Some(Some(old))) if value == *old => Change::Same,
                (Some(_), Some(_)) => Change::Changed,
                (None, _) => Change::Removed,
            };
            KeyChange {
                key: name.to_owned(),
                size: value.map(SecretBytes::len),
                change,
            }
        })
        .collect()
}

/// The observer looked at something else than the artifact: a defect of ours.
fn mismatch(artifact: &Artifact) -> Decision {
    let failure = Failure::new(
        Class::Bug,
        format!("{artifact} was observed as something else"),
    );
    (Action::Refuse(failure), Vec::new())
}
