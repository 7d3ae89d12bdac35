//! Vault servers, identities and the keys that open files.

use super::super::at::{At, Shown};
use super::super::raw::{
    RawAgeKey, RawAppRole, RawAuth, RawGithubActions, RawJwtAuth, RawKubernetesAuth, RawSealedKey,
    RawSealedKeySecret, RawSecretKeyRef, RawToken, RawVault,
};
use super::super::{
    AgeKey, JwtSource, Location, SealedKey, SecretRef, VaultAuth, VaultRead, VaultServer,
};
use super::{Checker, DEFAULT_SERVER};
use crate::base::address::is_loopback;
use crate::base::failure::Class;

/// Where a pod finds its ServiceAccount token when no other is projected.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Where the sealed-secrets controller usually runs, and how it marks its keys.
const CONTROLLER_NAMESPACE: &str = "kube-system";
const CONTROLLER_LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key=active";

impl Checker<'_> {
    pub(super) fn server(&mut self, name: &str, written: At<RawVault>) -> Option<VaultServer> {
        let at = self.at(&written);
        let RawVault {
            address,
            namespace,
            ca_file,
            server_name,
            allow_plaintext,
            auth,
        } = written.value;
        let address = match &address {
            Some(address) => (self.text(address), self.at(address)),
            None => (
                self.first_set(&["VAULT_ADDR", "BAO_ADDR"])
                    .unwrap_or_default(),
                at.clone(),
            ),
        };
        let (address_at, auth_at) = (address.1.clone(), self.at(&auth));
        let address = self.address(address.0, address.1, allow_plaintext);
        let namespace = match namespace {
            Some(namespace) => Some(self.name(&namespace, "the namespace")),
            None => self.first_set(&["VAULT_NAMESPACE", "BAO_NAMESPACE"]),
        };
        let ca_at = ca_file
            .as_ref()
            .map_or_else(|| at.clone(), |file| self.at(file));
        let ca_file = match ca_file {
            Some(file) => Some(self.path(&file)),
            None => self
                .first_set(&["VAULT_CACERT", "BAO_CACERT"])
                .map(Into::into),
        };
        let server_name = server_name.map(|name| self.name(&name, "the server name"));
        let auth = self.auth(auth);
        Some(VaultServer {
            name: name.to_owned(),
            address: address?,
            namespace,
            ca_file,
            server_name,
            allow_plaintext,
            auth: auth?,
            at,
            ca_at,
            address_at,
            auth_at,
        })
    }

    /// The first of these variables that is set.
    fn first_set(&self, names: &[&str]) -> Option<String> {
        let set = |name: &&str| (self.outside.env)(name).filter(|value| !value.is_empty());
        names.iter().find_map(set)
    }

    fn address(&mut self, text: String, at: Location, allow_plaintext: bool) -> Option<String> {
        let (class, what, hint) = match Address::parse(&text) {
            Err(what) => (Class::Configuration, what, "write it as https://host:8200"),
            Ok(address) if address.plain && !address.loopback && !allow_plaintext => (
                Class::Refused,
                format!("`{text}` would send tokens and values in clear text"),
                "use https://, or say `allowPlaintext: true`",
            ),
            Ok(_) => return Some(text.trim_end_matches('/').to_owned()),
        };
        self.report(class, at, what, hint);
        None
    }

    fn auth(&mut self, written: At<RawAuth>) -> Option<VaultAuth> {
        let at = self.at(&written);
        let RawAuth {
            kubernetes,
            jwt,
            app_role,
            token,
        } = written.value;
        let mut ways = Vec::new();
        if let Some(kubernetes) = kubernetes {
            ways.push(Some(self.kubernetes_auth(kubernetes)));
        }
        if let Some(jwt) = jwt {
            ways.push(self.jwt_auth(&at, jwt));
        }
        if let Some(RawAppRole {
            mount,
            role_id_file,
            secret_id_file,
            wrapped,
        }) = app_role
        {
            ways.push(Some(VaultAuth::AppRole {
                mount: self.mount(mount, "approle"),
                role_id_file: self.path(&role_id_file),
                secret_id_file: self.path(&secret_id_file),
                wrapped,
            }));
        }
        if let Some(RawToken { file }) = token {
            ways.push(Some(VaultAuth::Token {
                file: self.path(&file),
            }));
        }
        self.only(&at, "`auth`", "kubernetes, jwt, appRole, token", ways)
    }

    fn kubernetes_auth(&mut self, written: RawKubernetesAuth) -> VaultAuth {
        let RawKubernetesAuth {
            role,
            mount,
            token_file,
        } = written;
        VaultAuth::Kubernetes {
            mount: self.mount(mount, "kubernetes"),
            role: self.name(&role, "the role"),
            token_file: token_file.map_or_else(|| POD_TOKEN.into(), |file| self.path(&file)),
        }
    }

    fn jwt_auth(&mut self, at: &Location, written: RawJwtAuth) -> Option<VaultAuth> {
        let RawJwtAuth {
            role,
            mount,
            token_file,
            github_actions,
        } = written;
        let mut sources = Vec::new();
        if let Some(file) = token_file {
            sources.push(Some(JwtSource::File(self.path(&file))));
        }
        if let Some(RawGithubActions { audience }) = github_actions {
            let audience = self.name(&audience, "the audience");
            sources.push(Some(JwtSource::GithubActions { audience }));
        }
        let mount = self.mount(mount, "jwt");
        let role = self.name(&role, "the role");
        let token = self.only(at, "`jwt`", "tokenFile, githubActions", sources)?;
        Some(VaultAuth::Jwt { mount, role, token })
    }

    fn mount(&mut self, written: Option<At<Shown>>, usual: &str) -> String {
        written.map_or_else(
            || usual.to_owned(),
            |mount| self.name(&mount, "the mount").trim_matches('/').to_owned(),
        )
    }

    pub(super) fn age_key(&mut self, written: At<RawAgeKey>) -> Option<AgeKey> {
        let at = self.at(&written);
        let RawAgeKey {
            file,
            ssh,
            passphrase_file,
            vault,
            server,
            secret,
        } = written.value;
        let mut keys = Vec::new();
        let mut passphrase = passphrase_file.map(|file| self.path(&file));
        if let Some(file) = file {
            keys.push(Some(AgeKey::File {
                file: self.path(&file),
                passphrase: passphrase.take(),
            }));
        }
        if let Some(file) = ssh {
            keys.push(Some(AgeKey::Ssh(self.path(&file))));
        }
        keys.extend(passphrase.map(AgeKey::Passphrase).map(Some));
        if let Some(vault) = vault {
            let found = self.vault_field(&vault, server.as_ref());
            keys.push(found.map(|(read, field)| AgeKey::Vault { read, field }));
        } else if let Some(server) = server {
            let at = self.at(&server);
            self.problem(at, "`server` is of use only beside `vault`", "remove it");
        }
        if let Some(secret) = secret {
            let RawSecretKeyRef {
                namespace,
                name,
                key,
            } = secret.value;
            keys.push(Some(AgeKey::Secret {
                at: SecretRef {
                    namespace: namespace.map(|namespace| self.namespace(&namespace)),
                    name: self.object_name(&name, "the Secret's name"),
                },
                key: self.name(&key, "the key"),
            }));
        }
        self.only(
            &at,
            "a key",
            "file, ssh, passphraseFile, vault, secret",
            keys,
        )
    }

    /// `path#field`.
    fn vault_field(
        &mut self,
        written: &At<Shown>,
        server: Option<&At<Shown>>,
    ) -> Option<(VaultRead, String)> {
        let at = self.at(written);
        let text = self.text(written);
        let Some((path, field)) = text.split_once('#').filter(|(_, field)| !field.is_empty())
        else {
            self.problem(
                at,
                format!("`{text}` names no field"),
                "write it as `path#field`",
            );
            return None;
        };
        let read = self.vault_read(path, &at, server.map(|server| server.value.0.clone()))?;
        Some((read, field.to_owned()))
    }

    pub(super) fn sealed_key(&mut self, written: At<RawSealedKey>) -> Option<SealedKey> {
        let at = self.at(&written);
        let RawSealedKey {
            file,
            secret,
            vault,
            server,
        } = written.value;
        let mut keys = Vec::new();
        if let Some(file) = file {
            keys.push(Some(SealedKey::File(self.path(&file))));
        }
        if let Some(secret) = secret {
            keys.push(Some(self.sealed_key_secret(secret)));
        }
        if let Some(vault) = vault {
            let found = self.vault_field(&vault, server.as_ref());
            keys.push(found.map(|(read, field)| SealedKey::Vault { read, field }));
        } else if let Some(server) = server {
            let at = self.at(&server);
            self.problem(at, "`server` is of use only beside `vault`", "remove it");
        }
        self.only(&at, "a key", "file, secret, vault", keys)
    }

    fn sealed_key_secret(&mut self, written: At<RawSealedKeySecret>) -> SealedKey {
        let at = self.at(&written);
        let RawSealedKeySecret {
            namespace,
            selector,
            name,
        } = written.value;
        let namespace = namespace.map_or_else(
            || CONTROLLER_NAMESPACE.to_owned(),
            |namespace| self.namespace(&namespace),
        );
        if let (Some(_), Some(_)) = (&selector, &name) {
            self.problem(
                at,
                "`selector` and `name` exclude each other",
                "keep one of them",
            );
        }
        match name {
            Some(name) => SealedKey::Secret(SecretRef {
                namespace: Some(namespace),
                name: self.object_name(&name, "the Secret's name"),
            }),
            None => SealedKey::Selector {
                namespace,
                selector: selector.map_or_else(
                    || CONTROLLER_LABEL.to_owned(),
                    |selector| self.text(&selector),
                ),
            },
        }
    }

    pub(super) fn default_server(server: Option<String>) -> String {
        server.unwrap_or_else(|| DEFAULT_SERVER.to_owned())
    }
}

/// What matters of a server's address.
struct Address {
    plain: bool,
    loopback: bool,
}

impl Address {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the Vault server has no address, and VAULT_ADDR is not set".to_owned());
        }
        let wrong = || format!("`{text}` is no server address");
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let plain = match uri.scheme_str() {
            Some("http") => true,
            Some("https") => false,
            _ => return Err(wrong()),
        };
        let host = uri.host().ok_or_else(wrong)?;
        let authority = uri
            .authority()
            .map(http::uri::Authority::as_str)
            .unwrap_or_default();
        if authority.contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(format!("`{text}` holds more than scheme, host and port"));
        }
        Ok(Self {
            plain,
            loopback: is_loopback(host),
        })
    }
}
