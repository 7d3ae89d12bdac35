//! Requests of an administrator: policies, roles of auth methods, and the capabilities of a token.
//! `vaultrs` has most of the endpoints.

use std::collections::BTreeMap;

use serde_json::json;
use vaultrs::api::auth::kubernetes::requests::CreateKubernetesRoleRequest;
use vaultrs::api::sys::requests::{CreatePolicyRequest, ReadPolicyRequest};

use super::Session;
use super::endpoint::Own;
use super::error::{Cause, RequestEnd};
use super::failure_reasons::{Absence, ServerRefusal};
use super::kv::refused;
use super::response::Reply;
use crate::base::failure::Failure;
use crate::base::material::Node;
use crate::config::VaultRead;
use crate::net::Call;

/// A role: who may log in, and the properties of the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its path: `auth/MOUNT/role/NAME`.
    pub path: String,
    /// The bound accounts, and the tokens' policies and lifetime, under Vault's names.
    pub fields: BTreeMap<String, RoleField>,
}

/// One field of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleField {
    /// A text.
    Text(String),
    /// Texts whose order does not matter.
    List(Vec<String>),
    /// Seconds.
    Seconds(u64),
    /// Names with their allowed values.
    Claims(BTreeMap<String, Vec<String>>),
}

impl Session {
    /// The text of a policy, if it exists.
    pub async fn policy(&self, name: &str) -> Result<Option<String>, Failure> {
        let call = Call::from_endpoint(&ReadPolicyRequest {
            name: name.to_owned(),
        });
        let reply = self
            .read_if_present(&format!("sys/policy/{name}"), call)
            .await?;
        Ok(reply.and_then(|reply| {
            let text = reply.data.entry("policy").or(reply.data.entry("rules"));
            text.and_then(text_of)
        }))
    }

    /// Creates or replaces a policy.
    pub async fn write_policy(&self, name: &str, policy: &str) -> Result<(), Failure> {
        let call = Call::from_endpoint(&CreatePolicyRequest {
            name: name.to_owned(),
            policy: policy.to_owned(),
        });
        self.change(&format!("sys/policy/{name}"), call).await
    }

    /// The present values of the fields in `wanted`; nothing if the role does not exist.
    pub async fn role(&self, wanted: &Role) -> Result<Option<Role>, Failure> {
        let call = Call::from_endpoint(&Own::read(&wanted.path));
        let Some(reply) = self.read_if_present(&wanted.path, call).await? else {
            return Ok(None);
        };
        let fields = wanted.fields.iter().filter_map(|(name, like)| {
            let node = reply.data.entry(name)?;
            Some((name.clone(), like.as_stored(node)?))
        });
        Ok(Some(Role {
            path: wanted.path.clone(),
            fields: fields.collect(),
        }))
    }

    /// Creates a role, or sets the fields in `role`.
    pub async fn write_role(&self, role: &Role) -> Result<(), Failure> {
        self.change(&role.path, role.call()).await
    }

    /// The capabilities of our token at each path, in the words of Vault.
    pub async fn capabilities(
        &self,
        paths: &[&str],
    ) -> Result<BTreeMap<String, Vec<String>>, Failure> {
        const ASK: &str = "sys/capabilities-self";
        let body = json!({"paths": paths}).to_string();
        let call = Call::from_endpoint(&Own::write(ASK, body.as_bytes()));
        let reply = self
            .ask(call)
            .await
            .map_err(|stop| self.failure_at(ASK, stop, true))?;
        let held = paths.iter().map(|path| {
            let held = reply.data.entry(path).and_then(texts_of);
            ((*path).to_owned(), held.unwrap_or_default())
        });
        Ok(held.collect())
    }

    /// The path that reads a secret of KV version 2, if `path` leaves `data` out; nothing for all
    /// other paths.
    pub async fn data_path(&self, path: &str) -> Result<Option<String>, Failure> {
        let found = self.resolve(&self.reading(path)).await?.path;
        Ok((found != path).then_some(found))
    }

    fn reading(&self, path: &str) -> VaultRead {
        VaultRead {
            server: self.server.clone(),
            path: path.to_owned(),
            exact: false,
            version: None,
            write: None,
        }
    }

    async fn read_if_present(
        &self,
        path: &str,
        call: Result<Call, Cause>,
    ) -> Result<Option<Reply>, Failure> {
        match self.ask(call).await {
            Ok(reply) => Ok(Some(reply)),
            Err(RequestEnd::Read(Cause::Absence(Absence::Nothing))) => Ok(None),
            Err(stop) => Err(self.failure_at(path, stop, false)),
        }
    }

    async fn change(&self, path: &str, call: Result<Call, Cause>) -> Result<(), Failure> {
        let done = self.ask(call).await;
        done.map(drop)
            .map_err(|stop| self.failure_at(path, stop, true))
    }

    async fn ask(&self, call: Result<Call, Cause>) -> Result<Reply, RequestEnd> {
        let access = self.access.as_ref().map_err(Cause::clone)?;
        access.ask(&call?).await
    }

    /// A failure at a path, with the missing capability if there is one.
    fn failure_at(&self, path: &str, stop: RequestEnd, writes: bool) -> Failure {
        let read = VaultRead {
            write: writes.then(String::new),
            ..self.reading(path)
        };
        let stop = match (stop, &self.access) {
            (RequestEnd::Read(Cause::Refusal(ServerRefusal::Forbidden { .. })), Ok(access)) => {
                refused(access, writes, path)
            }
            (stop, _) => stop,
        };
        self.name(stop, &read).into()
    }
}

impl Role {
    fn call(&self) -> Result<Call, Cause> {
        match self.of_kubernetes() {
            Some(request) => Call::from_endpoint(&request),
            None => {
                Call::from_endpoint(&Own::write(&self.path, self.json().to_string().as_bytes()))
            }
        }
    }

    /// The fields as Vault takes them.
    pub fn json(&self) -> serde_json::Value {
        let fields = self.fields.iter();
        fields
            .map(|(name, field)| (name.clone(), field.json()))
            .collect()
    }

    /// The request type of `vaultrs`, if all fields belong to the `kubernetes` method.
    fn of_kubernetes(&self) -> Option<CreateKubernetesRoleRequest> {
        let mut request = CreateKubernetesRoleRequest::default();
        let (mount, name) = self.path.strip_prefix("auth/")?.split_once("/role/")?;
        request.mount = mount.to_owned();
        request.name = name.to_owned();
        for (name, field) in &self.fields {
            match (name.as_str(), field) {
                ("bound_service_account_names", RoleField::List(names)) => {
                    request.bound_service_account_names.clone_from(names);
                }
                ("bound_service_account_namespaces", RoleField::List(names)) => {
                    request.bound_service_account_namespaces.clone_from(names);
                }
                ("audience", RoleField::Text(audience)) => {
                    request.audience = Some(audience.clone());
                }
                ("token_policies", RoleField::List(names)) => {
                    request.token_policies = Some(names.clone());
                }
                ("token_ttl", RoleField::Seconds(seconds)) => {
                    request.token_ttl = Some(format!("{seconds}s"));
                }
                _ => return None,
            }
        }
        (!request.bound_service_account_names.is_empty()).then_some(request)
    }
}

impl RoleField {
    fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => json!(text),
            Self::List(texts) => json!(texts),
            Self::Seconds(seconds) => json!(seconds),
            Self::Claims(claims) => json!(claims),
        }
    }

    /// Vault's answer for a field of this kind.
    fn as_stored(&self, node: &Node) -> Option<Self> {
        match self {
            Self::Text(_) => text_of(node).map(Self::Text),
            Self::List(_) => texts_of(node).map(|mut texts| {
                texts.sort();
                Self::List(texts)
            }),
            Self::Seconds(_) => text_of(node)?.parse().ok().map(Self::Seconds),
            Self::Claims(_) => {
                let Node::Map(entries) = node else {
                    return None;
                };
                let claims = entries.iter().map(|(name, values)| {
                    let mut values = texts_of(values).or(text_of(values).map(|text| vec![text]))?;
                    values.sort();
                    Some((name.clone(), values))
                });
                claims.collect::<Option<_>>().map(Self::Claims)
            }
        }
    }
}

impl std::fmt::Display for RoleField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::List(texts) => f.write_str(&texts.join(",")),
            Self::Seconds(seconds) if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
            Self::Claims(claims) => write!(f, "{}", json!(claims)),
        }
    }
}

fn text_of(node: &Node) -> Option<String> {
    node.leaf()?.expose_str().map(str::to_owned)
}

fn texts_of(node: &Node) -> Option<Vec<String>> {
    let Node::List(items) = node else {
        return None;
    };
    items.iter().map(text_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_written_with_its_own_fields_and_no_others() {
        let list =
            |names: &[&str]| RoleField::List(names.iter().map(|name| (*name).to_owned()).collect());
        let role = Role {
            path: "auth/team/kubernetes/role/platform".to_owned(),
            fields: BTreeMap::from([
                ("audience".to_owned(), RoleField::Text("vault".to_owned())),
                ("bound_service_account_names".to_owned(), list(&["a", "b"])),
                ("bound_service_account_namespaces".to_owned(), list(&["x"])),
                ("token_policies".to_owned(), list(&["platform"])),
                ("token_ttl".to_owned(), RoleField::Seconds(600)),
            ]),
        };
        let call = role.call().expect("a request");
        assert_eq!(
            format!("{} {}", call.method, call.target),
            "POST /v1/auth/team/kubernetes/role/platform"
        );
        let body: serde_json::Value = serde_json::from_slice(&call.body).expect("JSON");
        assert_eq!(
            body,
            json!({
                "audience": "vault", "bound_service_account_names": ["a", "b"],
                "bound_service_account_namespaces": ["x"], "token_policies": ["platform"],
                "token_ttl": "600s",
            })
        );
    }

    #[test]
    fn a_field_reads_as_it_was_written() {
        let claims = BTreeMap::from([("sub".to_owned(), vec!["a".to_owned(), "b".to_owned()])]);
        let rows = [
            (RoleField::Text("x".to_owned()), Node::text("x")),
            (
                RoleField::List(vec!["a".to_owned(), "b".to_owned()]),
                Node::List(vec![Node::text("b"), Node::text("a")]),
            ),
            (RoleField::Seconds(600), Node::Number("600".into())),
            (
                RoleField::Claims(claims),
                Node::Map(vec![(
                    "sub".to_owned(),
                    Node::List(vec![Node::text("b"), Node::text("a")]),
                )]),
            ),
        ];
        for (field, stored) in rows {
            assert_eq!(field.as_stored(&stored), Some(field.clone()), "{field}");
        }
    }
}
