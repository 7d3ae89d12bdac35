//! Logging in: credentials are read again at each attempt, and after three refusals with a reason
//! no more attempt is made.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::client::ServerLink;
use super::endpoint::{AppRoleBody, JwtBody, Own};
use super::error::Cause;
use super::failure_reasons::{Ban, ServerRefusal, Setup};
use super::github_actions::Runner;
use super::path::DataPath;
use super::token::{Credential, Token};
use super::wrapping;
use crate::base::material::{Node, SecretBytes};
use crate::config::{JwtSource, VaultAuth};
use crate::disk::{DiskError, WaitingCaller, call_at, of_one_generation, read_by, read_credential};
use crate::net::Call;

/// Time between two looks for a credential's file: a pod can start before its volume is filled.
const FILE_GLANCE: Duration = Duration::from_millis(50);
/// How long reading a file may take.
const FILE_PATIENCE: Duration = Duration::from_secs(10);

/// How many refusals with a reason end the login. Another attempt helps only if a clock is ahead or
/// a file was just rotated.
const REFUSALS: u32 = 3;

/// Our identity for Vault.
pub(super) struct VaultIdentity<'a> {
    pub(super) auth: &'a VaultAuth,
    pub(super) runner: Option<&'a Runner>,
    /// Whether a wrapped secret id is left unused.
    pub(super) spends_nothing: bool,
    /// The last secret id that was unwrapped.
    pub(super) unwrapped: &'a mut Option<Unwrapped>,
}

/// A secret id that arrived wrapped. Its wrapping token works only once; a new token means a new
/// secret id.
pub(super) struct Unwrapped {
    wrapping: Credential,
    secret_id: Credential,
}

/// The proof of our identity.
enum Proof {
    /// A token that exists already.
    Token(Credential),
    /// A login request, and the secrets in it.
    Login(Call, Vec<Credential>),
}

impl VaultIdentity<'_> {
    /// A token: from a file, or by a login that is tried until it is granted, refused, or out of
    /// time.
    pub(super) async fn token(
        mut self,
        link: &ServerLink,
        generation: u64,
    ) -> Result<Token, Cause> {
        let mut pace = link.pace();
        let mut refusals = Refusals::default();
        let mut mount_is_there = false;
        loop {
            let cause = match self.proof(link).await {
                Ok(Proof::Token(token)) => return Ok(Token::borrowed(token, generation)),
                Ok(Proof::Login(call, secrets)) => {
                    if let Some(refusal) = refusals.foreseen(self.auth, &call.body) {
                        return Err(refusal.into());
                    }
                    match self.log_in(link, &call, &secrets, generation).await {
                        Ok(token) => return Ok(token),
                        Err(cause) => {
                            if is_bare(&cause) && !mount_is_there {
                                self.ask_for_the_mount(link).await?;
                                mount_is_there = true;
                            }
                            refusals.weigh(cause, call.body)?
                        }
                    }
                }
                Err(cause) if cause.is_passing() => cause,
                Err(cause) => return Err(cause),
            };
            pace.pause(cause).await?;
        }
    }

    async fn log_in(
        &self,
        link: &ServerLink,
        call: &Call,
        secrets: &[Credential],
        generation: u64,
    ) -> Result<Token, Cause> {
        let since = Instant::now();
        let secrets: Vec<&str> = secrets.iter().map(Credential::expose_str).collect();
        let reply = link.once(call, None, &secrets).await?;
        let token = Token::granted(&reply.auth, generation, since)?;
        if uses_are_counted(&reply.auth) {
            tracing::warn!(
                "tokens of {} end after some uses: set its token_num_uses to 0",
                describe(self.auth)
            );
        }
        tracing::info!(
            ttl_s = token.life.map(|life| life.span.as_secs()),
            "logged in to vault with {}",
            describe(self.auth)
        );
        Ok(token)
    }

    async fn proof(&mut self, link: &ServerLink) -> Result<Proof, Cause> {
        let deadline = link.deadline();
        let time_limit = link.waits().then_some(deadline);
        match self.auth {
            VaultAuth::Kubernetes {
                mount,
                role,
                token_file,
            } => with_jwt(mount, role, jwt_of_file(token_file, time_limit).await?),
            VaultAuth::Jwt { mount, role, token } => {
                let jwt = match token {
                    JwtSource::File(file) => jwt_of_file(file, time_limit).await?,
                    JwtSource::GithubActions { audience } => {
                        let runner = self.runner.ok_or(Setup::NoRunner)?;
                        runner.jwt(audience, deadline).await?
                    }
                };
                with_jwt(mount, role, jwt)
            }
            VaultAuth::AppRole {
                mount,
                role_id_file,
                secret_id_file,
                wrapped,
            } => {
                let (role_id, secret_id) = self
                    .ids((role_id_file, secret_id_file), *wrapped, time_limit)
                    .await?;
                let secret_id = match wrapped {
                    true => self.unwrap(link, secret_id, mount).await?,
                    false => secret_id,
                };
                with_app_role(mount, role_id, secret_id)
            }
            VaultAuth::Token { file } => {
                Ok(Proof::Token(of_file(file, "token file", time_limit).await?))
            }
        }
    }
}

impl VaultIdentity<'_> {
    /// Checks whether the method is mounted: if a login without any credential is refused without a
    /// reason, it is not.
    async fn ask_for_the_mount(&self, link: &ServerLink) -> Result<(), Cause> {
        let Some(mount) = self.auth.mount() else {
            return Ok(());
        };
        let empty = Call::from_endpoint(&Own::write(&format!("auth/{mount}/login"), b"{}"))?;
        match link.once(&empty, None, &[]).await {
            Err(cause) if is_bare(&cause) => Err(ServerRefusal::NoAuthMount {
                mount: mount.to_owned(),
            }
            .into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Role id and secret id, or the token that wraps the secret id. An unwrapped secret id works
    /// without its file.
    async fn ids(
        &self,
        (role_id, secret_id): (&Path, &Path),
        wrapped: bool,
        time_limit: Option<Instant>,
    ) -> Result<(Credential, Credential), Cause> {
        let what = match wrapped {
            true => "wrapping token file",
            false => "secret id file",
        };
        let role_id = (role_id, "role id file");
        let kept = self.unwrapped.as_ref().filter(|_| wrapped);
        let time_limit = time_limit.filter(|_| kept.is_none());
        match (of_files(role_id, (secret_id, what), time_limit).await, kept) {
            (Err(_), Some(kept)) => {
                let role_id = of_file(role_id.0, role_id.1, time_limit).await?;
                Ok((role_id, kept.wrapping.clone()))
            }
            (both, _) => both,
        }
    }

    /// The secret id that a token wraps, unwrapped once. While the next one is unusable, the one
    /// before is used.
    async fn unwrap(
        &mut self,
        link: &ServerLink,
        wrapping: Credential,
        mount: &str,
    ) -> Result<Credential, Cause> {
        if let Some(kept) = self
            .unwrapped
            .as_ref()
            .filter(|kept| kept.wrapping == wrapping)
        {
            return Ok(kept.secret_id.clone());
        }
        if self.spends_nothing {
            return Err(Setup::Spends.into());
        }
        match (
            wrapping::secret_id(link, wrapping.clone(), mount).await,
            &self.unwrapped,
        ) {
            (Ok(secret_id), _) => {
                *self.unwrapped = Some(Unwrapped {
                    wrapping,
                    secret_id: secret_id.clone(),
                });
                Ok(secret_id)
            }
            (Err(cause @ Cause::Refusal(_)), Some(kept)) => {
                tracing::warn!("the secret id before is used on: {cause}");
                Ok(kept.secret_id.clone())
            }
            (Err(cause), _) => Err(cause),
        }
    }

    /// Unwraps a secret id when it arrives, before its wrapping token ends.
    pub(super) async fn take_up(&mut self, link: &ServerLink) -> Result<(), Cause> {
        if let VaultAuth::AppRole {
            mount,
            secret_id_file,
            wrapped: true,
            ..
        } = self.auth
        {
            let wrapping = of_file(secret_id_file, "wrapping token file", None).await?;
            self.unwrap(link, wrapping, mount).await?;
        }
        Ok(())
    }
}

fn uses_are_counted(auth: &Node) -> bool {
    auth.entry("num_uses")
        .is_some_and(|uses| *uses != Node::Number(SecretBytes::from("0")))
}

fn with_jwt(mount: &str, role: &str, jwt: Credential) -> Result<Proof, Cause> {
    let body = JwtBody {
        role,
        jwt: jwt.expose_str(),
    };
    let call = Call::from_endpoint(&Own::login(mount, &body))?;
    Ok(Proof::Login(call, vec![jwt]))
}

fn with_app_role(mount: &str, role_id: Credential, secret_id: Credential) -> Result<Proof, Cause> {
    let body = AppRoleBody {
        role_id: role_id.expose_str(),
        secret_id: secret_id.expose_str(),
    };
    let call = Call::from_endpoint(&Own::login(mount, &body))?;
    Ok(Proof::Login(call, vec![role_id, secret_id]))
}

/// The refusals so far.
#[derive(Default)]
struct Refusals {
    count: u32,
    /// The last refused login, and the reason.
    last: Option<(Bytes, String)>,
}

impl Refusals {
    /// The refusal that this login would get again: a wrong secret id that is sent repeatedly locks
    /// its role.
    fn foreseen(&self, auth: &VaultAuth, body: &Bytes) -> Option<ServerRefusal> {
        let (refused, text) = self.last.as_ref()?;
        let costly = matches!(auth, VaultAuth::AppRole { .. });
        (costly && refused == body).then(|| ServerRefusal::Login { text: text.clone() })
    }

    /// Decides whether a failed login is worth another attempt.
    fn weigh(&mut self, cause: Cause, body: Bytes) -> Result<Cause, Cause> {
        // Vault gives the same answer for a bad signature, for a revoked JWT, and when it could not
        // ask the API server: only another attempt shows which it is.
        let bare = is_bare(&cause);
        let Cause::Refusal(
            ServerRefusal::Forbidden { text, .. } | ServerRefusal::Rejected { text, .. },
        ) = cause
        else {
            return if cause.is_passing() {
                Ok(cause)
            } else {
                Err(cause)
            };
        };
        let refused = Cause::from(ServerRefusal::Login { text: text.clone() });
        if bare {
            return Ok(refused);
        }
        self.count += 1;
        let hopeless = is_about_config(&text) || self.count >= REFUSALS;
        self.last = Some((body, text));
        if hopeless { Err(refused) } else { Ok(refused) }
    }
}

/// A refusal without a reason.
fn is_bare(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Refusal(ServerRefusal::Forbidden { ban: Ban::Bare, .. })
    )
}

/// Whether the answer names a mistake that no other credential corrects.
fn is_about_config(text: &str) -> bool {
    let beginnings = [
        "invalid role name",
        "missing role",
        "missing jwt",
        "could not load configuration",
    ];
    beginnings.iter().any(|words| text.starts_with(words))
}

/// An identity as messages name it.
pub(super) fn describe(auth: &VaultAuth) -> String {
    match auth {
        VaultAuth::Kubernetes { mount, role, .. } | VaultAuth::Jwt { mount, role, .. } => {
            format!("role `{role}` at mount `{mount}`")
        }
        VaultAuth::AppRole {
            mount,
            role_id_file,
            ..
        } => format!("role id file {} at mount `{mount}`", role_id_file.display()),
        VaultAuth::Token { file } => format!("token file {}", file.display()),
    }
}

/// Refuses a mount whose name would lead a login to another path.
pub(super) fn check_mount(auth: &VaultAuth) -> Result<(), Setup> {
    match auth.mount() {
        Some(mount) => DataPath::parse(mount).map(|_| ()).map_err(Setup::Mount),
        None => Ok(()),
    }
}

async fn jwt_of_file(file: &Path, time_limit: Option<Instant>) -> Result<Credential, Cause> {
    let jwt = of_file(file, "JWT file", time_limit).await?;
    if jwt.expose_str().split('.').count() == 3 {
        return Ok(jwt);
    }
    Err(unusable(file, "JWT file", "a JWT has three parts joined by dots").into())
}

/// Two credentials that belong together: if their volume is switched between the two reads, they do
/// not match. Each file is waited for separately; then both are read in one call, which is faster
/// than a volume switches.
async fn of_files(
    first: (&Path, &'static str),
    second: (&Path, &'static str),
    time_limit: Option<Instant>,
) -> Result<(Credential, Credential), Cause> {
    for (file, what) in [first, second] {
        of_file(file, what, time_limit).await?;
    }
    let both = [first, second].map(|(file, what)| (file.to_owned(), what));
    let call = move |_: &WaitingCaller| {
        let files = [both[0].0.as_path(), both[1].0.as_path()];
        of_one_generation(&files, || {
            both.each_ref()
                .map(|(file, what)| read_credential(file, what))
        })
    };
    let end = Instant::now() + FILE_PATIENCE;
    let read = call_at(first.0, end, call).await;
    let [one, two] = read.map_err(DiskError::from)?;
    let parsed = |read: Result<SecretBytes, DiskError>, (file, what): (&Path, &'static str)| {
        let credential = Credential::parse(&read?);
        credential.map_err(|why| Cause::from(unusable(file, what, why)))
    };
    Ok((parsed(one, first)?, parsed(two, second)?))
}

/// The credential in a file. With `time_limit` it waits until then for the file, and for its
/// content.
async fn of_file(
    file: &Path,
    what: &'static str,
    time_limit: Option<Instant>,
) -> Result<Credential, Cause> {
    let mut told = false;
    loop {
        let end = time_limit
            .unwrap_or_else(Instant::now)
            .max(Instant::now() + FILE_PATIENCE);
        let early = match read_by(read_credential, file, what, end).await {
            Ok(bytes) if bytes.expose().trim_ascii().is_empty() => {
                Cause::from(unusable(file, what, "it is empty"))
            }
            Ok(bytes) => {
                return Credential::parse(&bytes).map_err(|why| unusable(file, what, why).into());
            }
            Err(error @ DiskError::Absent { .. }) => error.into(),
            Err(error) => return Err(error.into()),
        };
        if time_limit.is_none_or(|end| Instant::now() + FILE_GLANCE >= end) {
            return Err(early);
        }
        if !told {
            tracing::info!("waiting for {what} {}", file.display());
            told = true;
        }
        tokio::time::sleep(FILE_GLANCE).await;
    }
}

fn unusable(file: &Path, what: &'static str, why: &'static str) -> Setup {
    Setup::Credential {
        what,
        path: file.display().to_string(),
        why,
    }
}
