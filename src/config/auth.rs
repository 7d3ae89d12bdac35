//! Logins to Vault: how keyferry gets a token.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::Location;
use super::check::Checker;
use super::located::{At, Shown, exactly_one};

/// Exactly one way to log in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = exactly_one(&["kubernetes", "jwt", "appRole", "token"])))]
pub struct RawAuth {
    /// The pod's ServiceAccount token.
    pub kubernetes: Option<RawKubernetesAuth>,
    /// Any JWT.
    pub jwt: Option<RawJwtAuth>,
    /// Role id and secret id.
    pub app_role: Option<RawAppRole>,
    /// A token in a file.
    pub token: Option<RawToken>,
}

/// Log in with a ServiceAccount token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawKubernetesAuth {
    /// Role of the auth method.
    pub role: At<Shown>,
    /// Mount of the auth method (default: `kubernetes`).
    pub mount: Option<At<Shown>>,
    /// The token, best a projected one with an audience of Vault's own; read at each login.
    pub token_file: Option<At<Shown>>,
}

/// Log in with a JWT.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = exactly_one(&["tokenFile", "githubActions"])))]
pub struct RawJwtAuth {
    /// Role of the auth method.
    pub role: At<Shown>,
    /// Mount of the auth method (default: `jwt`).
    pub mount: Option<At<Shown>>,
    /// A file with the JWT; read at each login.
    pub token_file: Option<At<Shown>>,
    /// Ask the GitHub Actions runner for one (the workflow needs `permissions: id-token: write`).
    pub github_actions: Option<RawGithubActions>,
}

/// A JWT from the GitHub Actions runner.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawGithubActions {
    /// Audience of the JWT, as the role in Vault demands it.
    pub audience: At<Shown>,
}

/// Log in with AppRole.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawAppRole {
    /// File with the role id.
    pub role_id_file: At<Shown>,
    /// File with the secret id, or with the token that wraps it.
    pub secret_id_file: At<Shown>,
    /// Mount of the auth method (default: `approle`).
    pub mount: Option<At<Shown>>,
    /// The file holds a response-wrapping token.
    #[serde(default)]
    pub wrapped: bool,
}

/// Use a token that somebody else renews.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawToken {
    /// File with the token, such as an agent's sink.
    pub file: At<Shown>,
}

/// How keyferry gets a Vault token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultAuth {
    /// A ServiceAccount token, checked by Vault at the API server.
    Kubernetes {
        /// Mount of the auth method (default: `kubernetes`).
        mount: String,
        /// The role to log in to.
        role: String,
        /// File with the token, read at each login.
        token_file: PathBuf,
    },
    /// Any JWT.
    Jwt {
        /// Mount of the auth method (default: `jwt`).
        mount: String,
        /// The role to log in to.
        role: String,
        /// Where the JWT comes from.
        token: JwtSource,
    },
    /// Role id and secret id.
    AppRole {
        /// Mount of the auth method (default: `approle`).
        mount: String,
        /// File with the role id.
        role_id_file: PathBuf,
        /// File with the secret id, or with the token that wraps it.
        secret_id_file: PathBuf,
        /// Whether the file holds a wrapping token.
        wrapped: bool,
    },
    /// A token that another program obtains and renews.
    Token {
        /// File with the token, such as an agent's sink; read at each pass.
        file: PathBuf,
    },
}

/// Where a JWT comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwtSource {
    /// A file, re-read at each login.
    File(PathBuf),
    /// The GitHub Actions runner, asked for a token with this audience.
    GithubActions {
        /// `aud` of the token.
        audience: String,
    },
}

/// The files of a login, shared or to be changed.
macro_rules! files_of {
    ($auth:expr) => {
        match $auth {
            Self::Kubernetes { token_file, .. } => vec![token_file],
            Self::Jwt {
                token: JwtSource::File(file),
                ..
            }
            | Self::Token { file } => vec![file],
            Self::Jwt {
                token: JwtSource::GithubActions { .. },
                ..
            } => Vec::new(),
            Self::AppRole {
                role_id_file,
                secret_id_file,
                ..
            } => vec![role_id_file, secret_id_file],
        }
    };
}

impl VaultAuth {
    /// Mount of the auth method; `None` where the login has none.
    pub fn mount(&self) -> Option<&str> {
        match self {
            Self::Kubernetes { mount, .. }
            | Self::Jwt { mount, .. }
            | Self::AppRole { mount, .. } => Some(mount),
            Self::Token { .. } => None,
        }
    }

    /// Role of the login; `None` where the login has none.
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::Kubernetes { role, .. } | Self::Jwt { role, .. } => Some(role),
            Self::AppRole { .. } | Self::Token { .. } => None,
        }
    }

    /// The same login in another role; `None` where the login has no role.
    pub fn in_role(mut self, name: &str) -> Option<Self> {
        match &mut self {
            Self::Kubernetes { role, .. } | Self::Jwt { role, .. } => name.clone_into(role),
            Self::AppRole { .. } | Self::Token { .. } => return None,
        }
        Some(self)
    }

    /// The files that hold our credentials.
    pub fn files(&self) -> Vec<&Path> {
        files_of!(self)
    }

    /// The same files, to be changed.
    pub(super) fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        files_of!(self)
    }
}

/// Where a pod finds its ServiceAccount token when no other is projected.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

impl Checker<'_> {
    pub(super) fn auth(&mut self, written: At<RawAuth>) -> Option<VaultAuth> {
        let at = self.location(&written);
        let RawAuth {
            kubernetes,
            jwt,
            app_role,
            token,
        } = written.value;
        let kubernetes = kubernetes.map(|written| Some(self.kubernetes_auth(written)));
        let app_role = app_role.map(|written| Some(self.app_role(written)));
        let token = token.map(|RawToken { file }| self.path(&file));
        let ways = [
            ("kubernetes", kubernetes),
            ("jwt", jwt.map(|written| self.jwt_auth(&at, written))),
            ("appRole", app_role),
            ("token", token.map(|file| Some(VaultAuth::Token { file }))),
        ];
        self.only(&at, "`auth`", ways)
    }

    fn app_role(&mut self, written: RawAppRole) -> VaultAuth {
        let RawAppRole {
            role_id_file,
            secret_id_file,
            mount,
            wrapped,
        } = written;
        VaultAuth::AppRole {
            mount: self.mount(mount, "approle"),
            role_id_file: self.path(&role_id_file),
            secret_id_file: self.path(&secret_id_file),
            wrapped,
        }
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
        let file = token_file.map(|file| Some(JwtSource::File(self.path(&file))));
        let runner = github_actions.map(|RawGithubActions { audience }| {
            let audience = self.name(&audience, "the audience");
            Some(JwtSource::GithubActions { audience })
        });
        let sources = [("tokenFile", file), ("githubActions", runner)];
        let mount = self.mount(mount, "jwt");
        let role = self.name(&role, "the role");
        let token = self.only(at, "`jwt`", sources)?;
        Some(VaultAuth::Jwt { mount, role, token })
    }

    fn mount(&mut self, written: Option<At<Shown>>, usual: &str) -> String {
        written.map_or_else(
            || usual.to_owned(),
            |mount| self.name(&mount, "the mount").trim_matches('/').to_owned(),
        )
    }
}
