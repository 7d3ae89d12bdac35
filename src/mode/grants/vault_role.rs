//! The role that lets accounts log in to Vault, for each method of login.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::granted::Account;
use crate::config::{JwtSource, VaultAuth};
use crate::vault::admin::{Role, RoleField};

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

/// The role with all accounts; nothing if keyferry cannot know them. `remarks` gets what a person
/// should know about it.
pub(super) fn role(
    auth: &VaultAuth,
    policy: &str,
    accounts: &BTreeSet<Account>,
    terms: &Terms,
    remarks: &mut BTreeSet<String>,
) -> Option<Role> {
    let list = |texts: &mut dyn Iterator<Item = &str>| {
        let texts: BTreeSet<String> = texts.map(str::to_owned).collect();
        RoleField::List(texts.into_iter().collect())
    };
    let mut fields = BTreeMap::from([
        (
            "token_policies".to_owned(),
            RoleField::List(vec![policy.to_owned()]),
        ),
        ("token_ttl".to_owned(), terms.ttl()),
    ]);
    match auth {
        VaultAuth::Kubernetes { .. } => {
            let names = list(&mut accounts.iter().map(|one| one.name.as_str()));
            let namespaces = list(&mut accounts.iter().map(|one| one.namespace.as_str()));
            remarks.extend(beyond(accounts));
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
            remarks.insert(format!(
                "which repository may log in stands in no configuration: make the role by \
                 hand, narrow: vault write auth/{mount}/role/{role} role_type=jwt \
                 user_claim=sub bound_audiences={audience} \
                 bound_claims='{{\"repository\":\"OWNER/REPOSITORY\"}}' \
                 token_policies={policy} token_ttl={}",
                terms.ttl()
            ));
            return None;
        }
        VaultAuth::AppRole { .. } => {
            remarks.insert(format!(
                "the AppRole's name stands in no configuration: `{policy}` is assumed (--name)"
            ));
        }
        VaultAuth::Token { .. } => {
            remarks.insert(format!(
                "the configuration reads a token that others make: vault token create \
                 -policy={policy} -period={}",
                terms.ttl()
            ));
            return None;
        }
    }
    let mount = auth.mount().unwrap_or_default();
    Some(Role {
        path: format!("auth/{mount}/role/{policy}"),
        fields,
    })
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
