//! Data keys of SOPS files that Vault decrypts. Only servers of the configuration are asked: an
//! address in a file only chooses among them.

use serde_json::json;

use crate::base::failure::Failure;
use crate::base::material::SecretBytes;
use crate::config::{Config, VaultRead, VaultServer};
use crate::envelope::sops::{NeededTransit, Share, SopsError, TransitKey};
use crate::pass::world::World;

/// The request that decrypts with this key, if there is a server to ask.
pub fn request(config: &Config, key: &TransitKey) -> Option<Result<VaultRead, SopsError>> {
    let server = config.vault_of(&key.address)?;
    Some(request_to(server, key))
}

fn request_to(server: &VaultServer, key: &TransitKey) -> Result<VaultRead, SopsError> {
    Ok(VaultRead {
        server: server.name.clone(),
        path: key.path()?,
        exact: true,
        version: None,
        write: Some(json!({"ciphertext": key.encrypted}).to_string()),
    })
}

/// The shares that Vault decrypts, for a file that the age identities do not open for this reason.
pub(super) async fn shares(
    missing: &NeededTransit,
    refused: SopsError,
    config: &Config,
    world: &World,
) -> Result<Vec<Share>, Failure> {
    let mut shares = Vec::new();
    let mut first = None;
    for (group, keys) in &missing.groups {
        if shares.len() == missing.count {
            break;
        }
        match of_group(*group, keys, config, world).await {
            Ok(share) => shares.extend(share),
            Err(failure) => {
                first.get_or_insert(failure);
            }
        }
    }
    if shares.len() >= missing.count {
        return Ok(shares);
    }
    Err(first.unwrap_or_else(|| without_server(missing, refused)))
}

/// The first key that Vault decrypts opens the group; nothing if no server is configured.
async fn of_group(
    group: usize,
    keys: &[TransitKey],
    config: &Config,
    world: &World,
) -> Result<Option<Share>, Failure> {
    let mut asked: Vec<(&TransitKey, &VaultServer)> = keys
        .iter()
        .filter_map(|key| Some((key, config.vault_of(&key.address)?)))
        .collect();
    // A file for several Vaults names each of them: the Vault with our address knows its key.
    asked.sort_by_key(|(key, server)| key.address != server.address);
    let mut first = None;
    for (key, server) in asked {
        match decrypted(key, server, world).await {
            Ok(secret) => {
                let by = key.recipient();
                return Ok(Some(Share { group, secret, by }));
            }
            Err(failure) => {
                first.get_or_insert(with_address(failure, key, server));
            }
        }
    }
    first.map_or(Ok(None), Err)
}

async fn decrypted(
    key: &TransitKey,
    server: &VaultServer,
    world: &World,
) -> Result<SecretBytes, Failure> {
    let request = request_to(server, key)?;
    world.vault(&server.name)?.decrypt(&request).await
}

/// A server that the file does not name may not have its key.
fn with_address(failure: Failure, key: &TransitKey, server: &VaultServer) -> Failure {
    if key.address == server.address {
        return failure;
    }
    let (asked, named) = (&server.address, &key.address);
    Failure {
        what: format!(
            "{} (asked was `vault` at {asked}; the file names {named}, which is never asked)",
            failure.what
        ),
        ..failure
    }
}

fn without_server(missing: &NeededTransit, refused: SopsError) -> Failure {
    let mut failure = Failure::from(refused);
    let keys = missing.groups.iter().flat_map(|(_, keys)| keys);
    let keys: Vec<String> = keys.map(TransitKey::recipient).collect();
    failure.hint = Some(format!(
        "add `vault: {{address: …, auth: …}}`: Vault's transit engine decrypts its data key ({})",
        keys.join(", ")
    ));
    failure
}
