//! The rights in Vault that configurations need: for each role one policy that lists every path,
//! and the accounts that may log in to the role.

use std::collections::{BTreeMap, BTreeSet};

use super::granted::{Account, GrantedConfig, Mode};
use super::transit::{OfFiles, of_files};
use super::vault_role::{Terms, role};
use crate::base::failure::{Class, Failure};
use crate::config::{Config, VaultRead, VaultServer};
use crate::vault::Session;
use crate::vault::admin::Role;
use crate::vault::rights::{Capability, Need, of_read, versioned};

/// The rights of one role of one server.
#[derive(Debug)]
pub struct Grant {
    /// The server, as the first configuration names it.
    pub server: VaultServer,
    /// Name of the policy.
    pub policy: String,
    /// The capabilities of each path.
    pub paths: Paths,
    /// The accounts that need it.
    pub accounts: BTreeSet<Account>,
    /// The role with its accounts; nothing if keyferry cannot know them.
    pub role: Option<Role>,
    /// What a person should know about the grant.
    pub remarks: BTreeSet<String>,
}

/// Each capability on each path, and how necessary it is.
pub type Paths = BTreeMap<(String, Capability), Need>;

/// The grants of several configurations; grants of the same role are joined.
pub async fn grants(all: &[GrantedConfig], terms: &Terms) -> Result<Vec<Grant>, Failure> {
    let mut found: BTreeMap<Key, Grant> = BTreeMap::new();
    let mut unread = Vec::new();
    for one in all {
        let files = of_files(&one.config).await;
        unread.extend(files.unread.clone());
        for server in one.config.vaults.values() {
            let rights = rights(&one.config, &files, &server.name, one.mode)?;
            if rights.is_empty() {
                continue;
            }
            let name = name(one, server, terms);
            let key = Key {
                address: server.address.clone(),
                namespace: server.namespace.clone(),
                mount: server.auth.mount().map(str::to_owned),
                name: name.clone(),
            };
            let grant = found.entry(key).or_insert_with(|| Grant {
                server: server.clone(),
                policy: name,
                paths: BTreeMap::new(),
                accounts: BTreeSet::new(),
                role: None,
                remarks: BTreeSet::new(),
            });
            grant.accounts.insert(one.account.clone());
            grant.remarks.extend(files.unread.clone());
            for (key, need) in rights {
                if !(terms.necessary && need == Need::Helpful) {
                    add(&mut grant.paths, key, need);
                }
            }
        }
    }
    if found.is_empty() {
        unread.push("`keyferry grants kubernetes` shows the rights in a cluster".to_owned());
        return Err(
            Failure::new(Class::Usage, "no configuration here reads from Vault")
                .hint(unread.join("; ")),
        );
    }
    let mut grants: Vec<Grant> = found.into_values().collect();
    for grant in &mut grants {
        let Grant {
            server,
            policy,
            accounts,
            remarks,
            ..
        } = grant;
        grant.role = role(&server.auth, policy, accounts, terms, remarks);
    }
    Ok(grants)
}

/// Grants are joined if all of these fields are equal.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    address: String,
    namespace: Option<String>,
    mount: Option<String>,
    name: String,
}

/// The name of the role, which is also that of the policy.
fn name(one: &GrantedConfig, server: &VaultServer, terms: &Terms) -> String {
    if let Some(role) = server.auth.role() {
        return role.to_owned();
    }
    let own = one.config.name.as_ref().map(ToString::to_string);
    let named = terms.name.clone().or(own);
    named.unwrap_or_else(|| one.account.name.clone())
}

/// The rights of a configuration at one of its servers.
pub fn rights(
    config: &Config,
    files: &OfFiles,
    server: &str,
    mode: Mode,
) -> Result<Paths, Failure> {
    let follows = mode == Mode::Sidecar;
    let mut all = Paths::new();
    for (read, follows) in reads(config, follows) {
        if read.server == server {
            for right in of_read(read, follows)? {
                add(&mut all, (right.path, right.capability), right.need);
            }
        }
    }
    for (of, right) in &files.rights {
        if of == server {
            let key = (right.path.clone(), right.capability);
            add(&mut all, key, right.need);
        }
    }
    Ok(all)
}

/// A right that one configuration needs is necessary for all.
fn add(all: &mut Paths, key: (String, Capability), need: Need) {
    let known = all.entry(key).or_insert(need);
    *known = need.min(*known);
}

/// Every read, and whether its version is checked again and again.
fn reads(config: &Config, follows: bool) -> impl Iterator<Item = (&VaultRead, bool)> {
    let sources = config.sources();
    let sources = sources.filter_map(move |(_, source)| Some((source.vault()?, follows)));
    let keys = config.keys.in_vault().map(|(read, _)| (read, false));
    sources.chain(keys)
}

/// If a path could be one of two, the server decides which: the policy contains only that one.
pub async fn choose_engines(paths: &mut Paths, session: &Session) -> Result<(), Failure> {
    let is_open = |(_, need): &(_, &Need)| **need == Need::EitherOf;
    let open: Vec<String> = paths
        .iter()
        .filter(is_open)
        .map(|((path, _), _)| path.clone())
        .collect();
    for plain in open.iter().filter(|path| !path.contains("/data/")) {
        let guess = versioned(plain);
        let follows = guess.is_some_and(|(data, metadata)| {
            paths.remove(&(data, Capability::Read));
            paths.remove(&(metadata, Capability::Read)).is_some()
        });
        let mut allow = |path: String, need| {
            paths.insert((path, Capability::Read), need);
        };
        match session.data_path(plain).await? {
            None => allow(plain.clone(), Need::Necessary),
            Some(data) => {
                if let Some((mount, key)) = data.split_once("/data/").filter(|_| follows) {
                    allow(format!("{mount}/metadata/{key}"), Need::Helpful);
                }
                allow(data, Need::Necessary);
                paths.remove(&(plain.clone(), Capability::Read));
            }
        }
    }
    Ok(())
}
