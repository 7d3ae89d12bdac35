//! SealedSecrets as sources: files and objects of the cluster, opened with the available keys and
//! delivered whole or not at all.

use std::path::Path;
use std::sync::Arc;

use crate::base::failure::{Class, Failure, Fault};
use crate::base::material::{Material, Node};
use crate::config::{self, Keys, SecretRef};
use crate::disk::{read_by, read_document};
use crate::envelope::allowed_recipients::RecipientPolicy;
use crate::envelope::sealed::{self, Keyring, SealScope, SealedSecret, Unsealed};
use crate::kubernetes::{Error, ObjectKind, Subject};
use crate::pass::world::World;

use super::age::{version_of, within};
use super::decryption_keys;
use super::opening::opened;

/// Reads a file and opens one of its SealedSecrets: the fields of the Secret.
pub async fn fetch(
    file: &Path,
    object: Option<&str>,
    configured: &Keys,
    world: &World,
) -> Result<Material, Failure> {
    let (found, version) = read(file, world).await?;
    let sealed = choose(found, object).map_err(|failure| within(file, failure))?;
    let opened = open(sealed, configured, world).await;
    let opened = opened.map_err(|failure| within(file, failure))?;
    Ok(fields(opened, Some(version)))
}

/// Reads a file and chooses one of its SealedSecrets.
pub(super) async fn read_one(
    file: &Path,
    object: Option<&str>,
    world: &World,
) -> Result<SealedSecret, Failure> {
    let (found, _) = read(file, world).await?;
    choose(found, object).map_err(|failure| within(file, failure))
}

/// Reads a file and opens all of its SealedSecrets: each as the Secret document that it describes.
pub async fn manifests(file: &Path, configured: &Keys, world: &World) -> Result<Material, Failure> {
    let mut documents = Vec::new();
    let (found, version) = read(file, world).await?;
    for sealed in found {
        let opened = open(sealed, configured, world).await;
        let opened = opened.map_err(|failure| within(file, failure))?;
        documents.push(opened.secret.into_document());
    }
    Ok(Material {
        version: Some(version),
        ..Material::of_documents(documents)
    })
}

/// Reads and opens a SealedSecret of the cluster: the fields of the Secret.
pub async fn object(at: &SecretRef, configured: &Keys, world: &World) -> Result<Material, Failure> {
    let mut sealed = of_cluster(at, world).await?;
    let version = sealed.version.take();
    Ok(fields(open(sealed, configured, world).await?, version))
}

/// Reads a SealedSecret of the cluster.
pub(super) async fn of_cluster(at: &SecretRef, world: &World) -> Result<SealedSecret, Failure> {
    let cluster = world.kubernetes().await?;
    let at = config::resolve(at, &cluster.namespace);
    let Some(answer) = cluster.sealed_secret(&at).await? else {
        return Err(Error::Absent(Subject {
            kind: ObjectKind::SealedSecret,
            at,
        })
        .into());
    };
    let mut found = sealed::parse(&answer)?;
    let (Some(sealed), true) = (found.pop(), found.is_empty()) else {
        return Err(Failure::new(
            Class::Unavailable,
            "the API server's answer is no SealedSecret",
        ));
    };
    Ok(sealed)
}

/// Reads all SealedSecrets of a file, and the file's version.
pub(super) async fn read(
    file: &Path,
    world: &World,
) -> Result<(Vec<SealedSecret>, String), Failure> {
    let end = world.time_limit.of_disk();
    let bytes = read_by(read_document, file, "sealed file", end).await?;
    let parsed = opened(move || {
        let found = sealed::parse(bytes.expose())?;
        Ok((found, version_of(bytes.expose())))
    });
    let (found, version) = parsed.await.map_err(|failure| within(file, failure))?;
    if found.is_empty() {
        let failure = Failure::new(Class::Corrupt, "it holds no SealedSecret");
        return Err(within(file, failure));
    }
    Ok((found, version))
}

/// The object with this name (`name` or `namespace/name`); without a name the only object.
fn choose(found: Vec<SealedSecret>, object: Option<&str>) -> Result<SealedSecret, Failure> {
    let known: Vec<String> = found.iter().map(SealedSecret::path).collect();
    let wanted = |sealed: &SealedSecret| {
        object.is_none_or(|object| sealed.name == object || sealed.path() == object)
    };
    let mut chosen: Vec<SealedSecret> = found.into_iter().filter(wanted).collect();
    match (chosen.pop(), chosen.is_empty(), object) {
        (Some(sealed), true, _) => Ok(sealed),
        (None, _, object) => Err(Failure::new(
            Class::Missing,
            format!("it holds no SealedSecret `{}`", object.unwrap_or_default()),
        )
        .hint(format!("it holds {}", known.join(", ")))),
        (Some(_), false, _) => Err(Failure::new(
            Class::Configuration,
            "it holds several SealedSecrets that could be meant",
        )
        .hint(format!(
            "write `FILE#NAME` with one of {}",
            known.join(", ")
        ))),
    }
}

/// Opens one on a separate thread: RSA takes long, and other sources continue meanwhile.
pub(super) async fn open(
    mut sealed: SealedSecret,
    configured: &Keys,
    world: &World,
) -> Result<Unsealed, Failure> {
    if sealed.namespace.is_none() && sealed.scope != SealScope::Cluster {
        // Without a namespace it belongs where it is applied: as with kubectl, that is our own.
        sealed.namespace = world
            .kubernetes()
            .await
            .ok()
            .map(|cluster| cluster.namespace.clone());
    }
    let keys: Arc<Keyring> = world
        .keyring(decryption_keys::sealed(configured, world))
        .await?;
    let object = sealed.object();
    let opened = opened(move || Ok(sealed::unseal(&sealed, &keys)?)).await?;
    for key in &opened.opened_by {
        tracing::info!(%object, key, "sealed secret opened");
    }
    let recipients = RecipientPolicy(&configured.recipients);
    if let Err(outside) = recipients.of_sealing_keys(&opened.opened_by) {
        tracing::warn!(%object, hint = outside.hint(), "{outside}");
    }
    Ok(opened)
}

fn fields(opened: Unsealed, version: Option<String>) -> Material {
    let fields = opened.secret.data.into_iter();
    let fields = fields.map(|(key, value)| (key, Node::Text(value)));
    Material {
        version,
        ..Material::unversioned(Node::Map(fields.collect()))
    }
}
