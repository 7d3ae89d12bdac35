//! Reads the keys of encrypted files: from files, a Kubernetes Secret, a Vault path. They are
//! loaded once in a pass, when first needed.

use std::path::Path;

use crate::base::failure::{Class, Failure};
use crate::base::material::{Node, SecretBytes};
use crate::config::{self, AgeKey, Keys, LocatedKey, Location, SealedKey};
use crate::disk::{read_by, read_small};
use crate::envelope::age::{AgeError, Identity, encrypted_identities, identities};
use crate::envelope::sealed::Keyring;
use crate::kubernetes::{Error, ObjectKind, Subject};
use crate::pass::world::World;

/// All age identities. If one place fails, all fail: with only some of the keys it may look as if
/// no key opened the file.
pub async fn age(keys: &Keys, world: &World) -> Result<Vec<Identity>, Failure> {
    if keys.age.is_empty() {
        return Err(no_age());
    }
    let mut all = Vec::new();
    for LocatedKey { key, at } in &keys.age {
        let found = load(key, world).await;
        all.extend(found.map_err(|failure| of_key(failure, at.as_ref()))?);
    }
    Ok(all)
}

/// The failure when there is no age key.
pub(super) fn no_age() -> Failure {
    Failure::new(Class::Configuration, "no age key is configured")
        .hint("add `keys: {age: [{file: …}]}`, or set SOPS_AGE_KEY_FILE")
}

/// A failure of a key is not a failure of the source: `optional: true` does not forgive a missing
/// key, and the message names the place of the key.
fn of_key(failure: Failure, at: Option<&Location>) -> Failure {
    let place = match at {
        Some(at) => format!("this key is named at {at}"),
        None => "this key is named by SOPS_AGE_KEY_FILE".to_owned(),
    };
    Failure {
        absent: false,
        names_source: false,
        hint: Some(match failure.hint {
            Some(hint) => format!("{hint}; {place}"),
            None => place,
        }),
        ..failure
    }
}

async fn load(key: &AgeKey, world: &World) -> Result<Vec<Identity>, Failure> {
    match key {
        AgeKey::File { file, passphrase } => {
            let text =
                read_by(read_small, file, "age key file", world.time_limit.of_disk()).await?;
            let found = match passphrase {
                Some(passphrase) => {
                    encrypted_identities(&text, passphrase_of(passphrase, world).await?)
                }
                None => identities(&text),
            };
            found.map_err(|error| named(&file.display().to_string(), error))
        }
        AgeKey::Ssh(file) => {
            let text =
                read_by(read_small, file, "ssh key file", world.time_limit.of_disk()).await?;
            let identity = Identity::ssh(&text);
            identity
                .map(|identity| vec![identity])
                .map_err(|error| named(&file.display().to_string(), error))
        }
        AgeKey::Passphrase(file) => Ok(vec![passphrase_of(file, world).await?]),
        AgeKey::Vault { read, field } => {
            let material = world.vault(&read.server)?.read(read).await?;
            let place = format!("vault {}#{field}", read.path);
            let text = field_of(&material.documents, field, &place)?;
            identities(&text).map_err(|error| named(&place, error))
        }
        AgeKey::Secret { at, key } => {
            let material = super::secret::fetch(at, world).await?;
            let place = format!("secret {at} key {key}");
            let text = field_of(&material.documents, key, &place)?;
            identities(&text).map_err(|error| named(&place, error))
        }
    }
}

async fn passphrase_of(file: &Path, world: &World) -> Result<Identity, Failure> {
    let limit = world.time_limit.of_disk();
    let text = read_by(read_small, file, "passphrase file", limit).await?;
    Ok(Identity::passphrase(text.trimmed()))
}

/// All private keys of the sealed-secrets controller; as above, if one place fails, all fail.
pub async fn sealed(keys: &Keys, world: &World) -> Result<Keyring, Failure> {
    if keys.sealed.is_empty() {
        return Err(
            Failure::new(Class::Configuration, "no sealing key is configured").hint(
                "add `keys: {sealed: [{file: …}]}`, or `{secret: {}}` for those of the cluster",
            ),
        );
    }
    let mut all = Keyring::default();
    for LocatedKey { key, at } in &keys.sealed {
        let added = add(key, &mut all, world).await;
        added.map_err(|failure| of_key(failure, at.as_ref()))?;
    }
    for place in all.passed_over() {
        tracing::info!(place, "sealing key passed over: it is not marked active");
    }
    Ok(all)
}

async fn add(key: &SealedKey, all: &mut Keyring, world: &World) -> Result<(), Failure> {
    match key {
        SealedKey::File(file) => {
            let bytes = read_by(
                read_small,
                file,
                "sealing key file",
                world.time_limit.of_disk(),
            )
            .await?;
            Ok(all.add(&file.display().to_string(), &bytes)?)
        }
        SealedKey::Selector {
            namespace,
            selector,
        } => {
            let found = world
                .kubernetes()
                .await?
                .labelled_secrets(namespace, selector)
                .await?;
            if found.is_empty() {
                let what = format!("no secret in namespace {namespace} has label {selector}");
                return Err(Failure::new(Class::Missing, what)
                    .hint("name the namespace of the sealed-secrets controller, or a key file"));
            }
            for secret in found {
                let place = format!("secret {namespace}/{}", secret.name());
                all.add_secret(&place, &secret.labels(), &secret.into_data())?;
            }
            Ok(())
        }
        SealedKey::Secret(at) => {
            let cluster = world.kubernetes().await?;
            let at = config::resolve(at, &cluster.namespace);
            let subject = Subject {
                kind: ObjectKind::Secret,
                at,
            };
            let Some(secret) = cluster
                .secret(&subject.at)
                .await
                .map_err(Error::of_reading)?
            else {
                return Err(Error::Absent(subject).into());
            };
            all.add_secret(&subject.to_string(), &secret.labels(), &secret.into_data())?;
            Ok(())
        }
        SealedKey::Vault { read, field } => {
            let material = world.vault(&read.server)?.read(read).await?;
            let place = format!("vault {}#{field}", read.path);
            let bytes = field_of(&material.documents, field, &place)?;
            Ok(all.add(&place, &bytes)?)
        }
    }
}

/// One field of a source's content.
fn field_of(documents: &[Node], field: &str, place: &str) -> Result<SecretBytes, Failure> {
    let found = documents.iter().find_map(|document| document.entry(field));
    found.and_then(Node::leaf).ok_or_else(|| {
        Failure::new(Class::Missing, format!("{place} is not there"))
            .hint("check the name of the field")
    })
}

fn named(place: &str, error: AgeError) -> Failure {
    let mut failure = Failure::from(error);
    failure.what = format!("{place}: {}", failure.what);
    failure
}
