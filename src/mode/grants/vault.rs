//! The rights in Vault that configurations need: for each role one policy that lists every path,
//! and the accounts that may log in to the role.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::granted::{Account, GrantedConfig, Mode};
use super::transit::{OfFiles, of_files};
use crate::base::failure::{Class, Failure};
use crate::config::{Config, JwtSource, VaultAuth, VaultRead, VaultServer};
use crate::vault::Session;
use crate::vault::admin::{Role, RoleField};
use crate::vault::rights::{Capability, Need, of_read, versioned};

/// Settings of a role that no configuration contains.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Audience of the ServiceAccounts' tokens.
    pub audience: String,
    /// Lifetime of the tokens that Vault gives.
    pub ttl: Duration,
    /// Name of the policy; also of the role if the method's configuration names none.
    pub name: Option<String>,
    /// Leaves out the optional rights.
    pub necessary: bool,
}

impl Terms {
    /// The lifetime of tokens as people write it.
    pub fn ttl(&self) -> RoleField {
        RoleField::Seconds(self.ttl.as_secs())
    }
}

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
        grant.bind(terms);
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

impl Grant {
    /// The role with all accounts.
    fn bind(&mut self, terms: &Terms) {
        let list = |texts: &mut dyn Iterator<Item = &str>| {
            let texts: BTreeSet<String> = texts.map(str::to_owned).collect();
            RoleField::List(texts.into_iter().collect())
        };
        let mut fields = BTreeMap::from([
            (
                "token_policies".to_owned(),
                RoleField::List(vec![self.policy.clone()]),
            ),
            ("token_ttl".to_owned(), terms.ttl()),
        ]);
        let accounts = &self.accounts;
        match &self.server.auth {
            VaultAuth::Kubernetes { .. } => {
                let names = list(&mut accounts.iter().map(|one| one.name.as_str()));
                let namespaces = list(&mut accounts.iter().map(|one| one.namespace.as_str()));
                self.remarks.extend(beyond(accounts));
                fields.extend([
                    ("bound_service_account_names".to_owned(), names),
                    ("bound_service_account_namespaces".to_owned(), namespaces),
                    (
                        "audience".to_owned(),
                        RoleField::Text(terms.audience.clone()),
                    ),
                ]);
            }
            VaultAuth::Jwt {
                token: JwtSource::File(_),
                ..
            } => {
                let subject =
                    |one: &Account| format!("system:serviceaccount:{}:{}", one.namespace, one.name);
                let subjects = accounts.iter().map(subject).collect();
                let text = |text: &str| RoleField::Text(text.to_owned());
                fields.extend([
                    ("role_type".to_owned(), text("jwt")),
                    ("user_claim".to_owned(), text("sub")),
                    (
                        "bound_audiences".to_owned(),
                        RoleField::List(vec![terms.audience.clone()]),
                    ),
                    (
                        "bound_claims".to_owned(),
                        RoleField::Claims(BTreeMap::from([("sub".to_owned(), subjects)])),
                    ),
                ]);
            }
            VaultAuth::Jwt {
                mount,
                role,
                token: JwtSource::GithubActions { audience },
            } => {
                self.remarks.insert(format!(
                    "which repository may log in stands in no configuration: make the role by \
                     hand, narrow: vault write auth/{mount}/role/{role} role_type=jwt \
                     user_claim=sub bound_audiences={audience} \
                     bound_claims='{{\"repository\":\"OWNER/REPOSITORY\"}}' \
                     token_policies={} token_ttl={}",
                    self.policy,
                    terms.ttl()
                ));
                return;
            }
            VaultAuth::AppRole { .. } => {
                self.remarks.insert(format!(
                    "the AppRole's name stands in no configuration: `{}` is assumed (--name)",
                    self.policy
                ));
            }
            VaultAuth::Token { .. } => {
                self.remarks.insert(format!(
                    "the configuration reads a token that others make: vault token create \
                     -policy={} -period={}",
                    self.policy,
                    terms.ttl()
                ));
                return;
            }
        }
        let mount = self.server.auth.mount().unwrap_or_default();
        self.role = Some(Role {
            path: format!("auth/{mount}/role/{}", self.policy),
            fields,
        });
    }
}

/// A remark if the role allows more pairs than were asked for: it allows each of its names in each
/// of its namespaces.
fn beyond(accounts: &BTreeSet<Account>) -> Option<String> {
    let names: BTreeSet<&str> = accounts.iter().map(|one| one.name.as_str()).collect();
    let namespaces: BTreeSet<&str> = accounts.iter().map(|one| one.namespace.as_str()).collect();
    let pairs = names.len() * namespaces.len();
    (pairs > accounts.len()).then(|| {
        format!(
            "the role lets in {pairs} service accounts, each of its names in each of its \
             namespaces, and {} are meant: give each namespace a role of its own",
            accounts.len()
        )
    })
}
