//! The ways to log in that need no cluster: JWT, GitHub Actions, AppRole and its wrapping, token
//! files, namespaces, TLS.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyferry::config::{JwtSource, VaultAuth, VaultServer};
use keyferry::vault::Runner;
use serde_json::{Value, json};

use super::{
    READ_ALL, SOON, VALUE, app_role, audited, fails, logins, shared, token_file, unique,
    with_policy,
};
use crate::support::openbao::{OpenBao, Settings, Tls};
use crate::support::process::Scratch;
use crate::support::run::keyferry;
use crate::support::session::{path, read_once, secret_file, server, session, watched};
use crate::support::stub::{Reply, Stub};
use crate::support::tls::Authority;

/// An issuer of JWTs that an auth mount trusts.
struct Issuer {
    mount: String,
    key: EcdsaKeyPair,
}

impl Issuer {
    fn trusted_by(bao: &OpenBao) -> Self {
        let mount = unique("jwt");
        let key = rcgen::KeyPair::generate().expect("a key");
        bao.policy("read-all", READ_ALL);
        bao.post(&format!("sys/auth/{mount}"), &json!({"type": "jwt"}));
        let config = json!({"jwt_validation_pubkeys": [key.public_key_pem()], "jwt_supported_algs": ["ES256"]});
        bao.post(&format!("auth/{mount}/config"), &config);
        let role = json!({
            "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["read-all"],
            "bound_claims": {"repository": "soft-yt/infra"}, "clock_skew_leeway": -1, "expiration_leeway": -1,
        });
        bao.post(&format!("auth/{mount}/role/ci"), &role);
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der());
        Self {
            mount,
            key: key.expect("the same key"),
        }
    }

    /// A JWT that ends in so many seconds.
    fn jwt(&self, repository: &str, ends_in: i64) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs() as i64;
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(json!({"alg": "ES256", "typ": "JWT"}));
        let body = part(json!({
            "sub": "c4nary", "aud": "vault", "repository": repository, "iat": now - 600, "nbf": now - 600, "exp": now + ends_in,
        }));
        let text = format!("{head}.{body}");
        let signature = self
            .key
            .sign(&SystemRandom::new(), text.as_bytes())
            .expect("a signature");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn auth(&self, token: JwtSource) -> VaultAuth {
        VaultAuth::Jwt {
            mount: self.mount.clone(),
            role: "ci".to_owned(),
            token,
        }
    }
}

#[test]
fn a_jwt_in_a_file_logs_in_unless_it_ended_or_claims_something_else() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    let issuer = Issuer::trusted_by(&bao);
    let rows = [
        (issuer.jwt("soft-yt/infra", 600), Ok(())),
        (issuer.jwt("soft-yt/infra", -60), Err("token")),
        (issuer.jwt("evil/infra", 600), Err("claim")),
        (
            issuer.jwt("soft-yt/infra", 600).replace('.', ".c"),
            Err("login refused"),
        ),
    ];
    for (jwt, want) in rows {
        let file = secret_file(bao.folder(), "jwt", &format!("{jwt}\n"));
        let server = server(&bao.addr(), issuer.auth(JwtSource::File(file)));
        let before = logins(&bao);
        let result = read_once(&[&jwt, VALUE], &server, SOON, &path("kv/data/app"));
        let tries = logins(&bao) - before;
        match want {
            Ok(()) => assert!(result.is_ok() && tries == 1, "{result:?}"),
            Err(words) => {
                fails(
                    result,
                    "denied",
                    &["role `ci` at mount", "login refused", words],
                );
                assert_eq!(tries, 3, "{words}");
            }
        }
    }
}

#[test]
fn a_github_job_logs_in_with_the_jwt_of_its_runner() {
    let bao = shared();
    bao.put("actions", &json!({"password": VALUE}));
    let issuer = Issuer::trusted_by(bao);
    let jwt = issuer.jwt("soft-yt/infra", 600);
    let answer = json!({"count": 1, "value": jwt});
    let runner = Stub::start(move |_| Reply::json(200, &answer));
    let source = JwtSource::GithubActions {
        audience: "vault".to_owned(),
    };
    let server = server(&bao.addr(), issuer.auth(source));
    let result = watched(&[&jwt, VALUE, "c4nary-runner-token"], async {
        let url = format!("{}/?api-version=2.0", runner.url());
        let runner = Runner::from_variables(Some(url), Some("c4nary-runner-token".to_owned()));
        let session = session(&server, SOON).with_runner(runner.expect("both").into());
        let result = session.read(&path("kv/data/actions")).await;
        session.close().await;
        result
    });
    result.expect("data");
    assert_eq!(runner.calls(), ["GET /?api-version=2.0&audience=vault"]);
}

#[test]
fn an_app_role_logs_in_with_two_files() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    let (secrets, server) = app_role(&bao, READ_ALL, &json!({}));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
    read_once(&secrets, &server, SOON, &path("kv/data/app")).expect("data");
    let VaultAuth::AppRole { secret_id_file, .. } = &server.auth else {
        panic!("an app role");
    };
    std::fs::write(secret_id_file, "c4nary-wrong-secret-id").expect("a file");
    let before = logins(&bao);
    let result = read_once(
        &["c4nary-wrong-secret-id"],
        &server,
        SOON,
        &path("kv/data/app"),
    );
    fails(
        result,
        "denied",
        &["login refused: invalid role or secret ID"],
    );
    assert_eq!(logins(&bao) - before, 1);
}

/// An app role whose secret id arrives wrapped: its server, the wrapping token, and what else must
/// not be shown.
fn wrapped(bao: &OpenBao, wrap: impl Fn(&str) -> String) -> (String, VaultServer) {
    let (_, server) = app_role(bao, READ_ALL, &json!({}));
    let VaultAuth::AppRole {
        mount,
        role_id_file,
        secret_id_file,
        ..
    } = server.auth
    else {
        panic!("an app role");
    };
    let token = wrap(&mount);
    std::fs::write(&secret_id_file, format!("{token}\n")).expect("a file");
    let auth = VaultAuth::AppRole {
        mount,
        role_id_file,
        secret_id_file,
        wrapped: true,
    };
    (token, VaultServer { auth, ..server })
}

/// Asks for a path with its answer wrapped.
fn wrap(bao: &OpenBao, method: &str, path: &str) -> String {
    use crate::support::http::Client;
    let port = bao
        .plain_addr()
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    let client = Client::plain(port.expect("a port"))
        .with("X-Vault-Token", &bao.root_token())
        .with("X-Vault-Wrap-TTL", "300");
    let answer = client
        .call(method, &format!("/v1/{path}"), "application/json", b"")
        .expect("an answer");
    answer.json()["wrap_info"]["token"]
        .as_str()
        .expect("a wrapping token")
        .to_owned()
}

#[test]
fn a_wrapped_secret_id_works_once_and_for_every_login_of_its_session() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    let (token, server) = wrapped(&bao, |mount| {
        wrap(&bao, "POST", &format!("auth/{mount}/role/app/secret-id"))
    });
    watched(&[&token, VALUE], async {
        let session = session(&server, SOON);
        session.read(&path("kv/data/app")).await.expect("data");
        let VaultAuth::AppRole { mount, .. } = &server.auth else {
            panic!("an app role");
        };
        bao.post(
            &format!("sys/leases/revoke-prefix/auth/{mount}/login"),
            &json!({}),
        );
        session
            .read(&path("kv/data/app"))
            .await
            .expect("with the secret id it has kept");
        session.close().await;
    });
    assert_eq!((audited(&bao, "wrapping/unwrap"), logins(&bao)), (1, 2));
    let again = read_once(&[&token, VALUE], &server, SOON, &path("kv/data/app"));
    let failure = fails(
        again,
        "denied",
        &["the wrapping token is not valid: it was used"],
    );
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("somebody else"))
    );
    assert_eq!(logins(&bao), 2);
}

#[test]
fn row_150_a_new_wrapped_secret_id_is_used_and_a_bad_one_costs_nothing() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    let next = |mount: &str| wrap(&bao, "POST", &format!("auth/{mount}/role/app/secret-id"));
    let (token, server) = wrapped(&bao, next);
    let VaultAuth::AppRole {
        mount,
        secret_id_file,
        ..
    } = &server.auth
    else {
        panic!("an app role");
    };
    let secret_ids = format!("auth/{mount}/role/app/secret-id");
    let before = bao.list(&secret_ids)["data"]["keys"].clone();
    let (second, wrong) = (next(mount), wrap(&bao, "GET", "kv/data/app"));
    watched(&[&token, &second, VALUE], async {
        let session = session(&server, SOON);
        let log_in_again = async || {
            let logins = format!("sys/leases/revoke-prefix/auth/{mount}/login");
            bao.post(&logins, &json!({}));
            session.read(&path("kv/data/app")).await
        };
        session.read(&path("kv/data/app")).await.expect("data");
        // What wraps no secret id is not used, and what was unwrapped works on.
        std::fs::write(secret_id_file, &wrong).expect("a file");
        log_in_again().await.expect("with the first");
        std::fs::remove_file(secret_id_file).expect("a file");
        log_in_again().await.expect("with the first");
        std::fs::write(secret_id_file, &second).expect("a file");
        for accessor in before.as_array().expect("a list") {
            let body = json!({"secret_id_accessor": accessor});
            bao.post(&format!("{secret_ids}-accessor/destroy"), &body);
        }
        log_in_again().await.expect("with the second");
        session.close().await;
    });
    assert_eq!(audited(&bao, "wrapping/unwrap"), 2);
}

#[test]
fn row_150_who_only_looks_leaves_a_wrapped_secret_id_as_it_is() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    let (token, server) = wrapped(&bao, |mount| {
        wrap(&bao, "POST", &format!("auth/{mount}/role/app/secret-id"))
    });
    let VaultAuth::AppRole {
        mount,
        role_id_file,
        secret_id_file,
        ..
    } = &server.auth
    else {
        panic!("an app role");
    };
    let folder = Scratch::new("wrapped");
    let (role_id, secret_id) = (role_id_file.display(), secret_id_file.display());
    folder.write("keyferry.yaml", format!(
        "vault: {{address: '{}', auth: {{appRole: {{mount: {mount}, roleIdFile: {role_id}, secretIdFile: {secret_id}, wrapped: true}}}}}}\n\
         deliveries: [{{name: app, from: [{{vault: kv/app}}], to: [{{file: {{path: app.env}}}}]}}]\n",
        bao.addr()
    ));
    let run = |command: &str| keyferry().dir(folder.path()).args([command]).run();
    let told = run("plan").expect(3);
    assert!(
        told.stderr.contains("neither `plan` nor `check` spends it"),
        "{}",
        told.stderr
    );
    assert_eq!((audited(&bao, "wrapping/unwrap"), logins(&bao)), (0, 0));
    run("job").expect(0).assert_no_canary(&[&token, VALUE]);
}

#[test]
fn row_155_an_auth_mount_that_is_not_there_is_told_at_once() {
    let bao = shared();
    let folder = bao.folder();
    let jwt = secret_file(folder, &unique("jwt"), "c4naryhead.c4narybody.c4narysign");
    let (_, there) = app_role(bao, READ_ALL, &json!({}));
    let VaultAuth::AppRole {
        role_id_file,
        secret_id_file,
        ..
    } = there.auth
    else {
        panic!("an app role");
    };
    let mount = || "nowhere".to_owned();
    let rows = [
        VaultAuth::Kubernetes {
            mount: mount(),
            role: "platform".to_owned(),
            token_file: jwt.clone(),
        },
        VaultAuth::Jwt {
            mount: mount(),
            role: "ci".to_owned(),
            token: JwtSource::File(jwt),
        },
        VaultAuth::AppRole {
            mount: mount(),
            role_id_file,
            secret_id_file,
            wrapped: false,
        },
    ];
    for auth in rows {
        let server = server(&bao.addr(), auth);
        let result = read_once(
            &["c4naryhead", "c4narysign"],
            &server,
            SOON,
            &path("kv/data/app"),
        );
        let words = "no auth method is mounted at `auth/nowhere`";
        let failure = fails(result, "denied", &[words]);
        assert!(
            !failure.what.contains("gave up"),
            "waiting mends nothing: {failure}"
        );
        assert!(
            failure
                .hint
                .is_some_and(|hint| hint.contains("vault auth list"))
        );
    }
}

#[test]
fn a_wrapping_token_of_something_else_is_not_unwrapped() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"secret_id": VALUE}));
    let (token, server) = wrapped(&bao, |_| wrap(&bao, "GET", "kv/data/app"));
    let result = read_once(&[&token, VALUE], &server, SOON, &path("kv/data/app"));
    fails(
        result,
        "denied",
        &["the wrapping token wraps `kv/data/app`, not a secret id of `auth/approle-"],
    );
    assert_eq!((audited(&bao, "wrapping/unwrap"), logins(&bao)), (0, 0));
}

#[test]
fn a_token_file_is_used_as_it_is_and_never_revoked() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    let (token, file) = token_file(&bao, READ_ALL, &json!({"no_default_policy": true}));
    let server = server(&bao.addr(), VaultAuth::Token { file });
    for _ in 0..2 {
        read_once(&[&token, VALUE], &server, SOON, &path("kv/data/app")).expect("data");
    }
    assert_eq!((logins(&bao), audited(&bao, "revoke-self")), (0, 0));
    bao.post("auth/token/revoke", &json!({"token": token}));
    let result = read_once(&[&token, VALUE], &server, SOON, &path("kv/data/app"));
    fails(
        result,
        "denied",
        &[
            "cannot log in with token file",
            "refused: it is wrong or expired",
        ],
    );
}

#[test]
fn a_namespace_holds_both_identity_and_secrets() {
    let bao = shared();
    let namespace = unique("team");
    let root = bao.root_token();
    let within = |method: &str, path: &str, body: Value| {
        let (status, answer) =
            bao.request(&root, method, &format!("{namespace}/{path}"), Some(&body));
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    };
    bao.post(&format!("sys/namespaces/{namespace}"), &json!({}));
    within(
        "POST",
        "sys/mounts/kv",
        json!({"type": "kv", "options": {"version": "1"}}),
    );
    within("POST", "kv/app", json!({"password": VALUE}));
    within("POST", "sys/policies/acl/all", json!({"policy": READ_ALL}));
    within("POST", "sys/auth/approle", json!({"type": "approle"}));
    within(
        "POST",
        "auth/approle/role/app",
        json!({"token_policies": ["all"]}),
    );
    let role_id =
        within("GET", "auth/approle/role/app/role-id", json!({}))["data"]["role_id"].clone();
    let secret_id =
        within("POST", "auth/approle/role/app/secret-id", json!({}))["data"]["secret_id"].clone();
    let file = |name: &str, value: &Value| {
        secret_file(bao.folder(), &unique(name), value.as_str().expect("an id"))
    };
    let auth = VaultAuth::AppRole {
        mount: "approle".to_owned(),
        role_id_file: file("role-id", &role_id),
        secret_id_file: file("secret-id", &secret_id),
        wrapped: false,
    };
    let inside = VaultServer {
        namespace: Some(namespace),
        ..server(&bao.addr(), auth)
    };
    read_once(&[VALUE], &inside, SOON, &path("kv/app")).expect("data of the namespace");
    let absent = VaultServer {
        namespace: Some("no-such-team".to_owned()),
        ..inside
    };
    fails(
        read_once(&[VALUE], &absent, SOON, &path("kv/app")),
        "denied",
        &["namespace not found"],
    );
    let (token, outside) = with_policy(bao, READ_ALL);
    let absent = VaultServer {
        namespace: absent.namespace,
        ..outside
    };
    fails(
        read_once(&[&token], &absent, SOON, &path("kv/app")),
        "missing",
        &["namespace not found"],
    );
}

#[test]
fn row_06_tls_is_spoken_with_the_named_authority_alone() {
    let bao = OpenBao::start_tls();
    bao.put("app", &json!({"password": VALUE}));
    let (token, server) = with_policy(&bao, READ_ALL);
    let trusting = VaultServer {
        ca_file: Some(bao.ca_file()),
        ..server.clone()
    };
    read_once(&[&token, VALUE], &trusting, SOON, &path("kv/data/app")).expect("data");
    let other = secret_file(bao.folder(), "other.crt", Authority::new().pem());
    let distrusting = VaultServer {
        ca_file: Some(other),
        ..server
    };
    let result = read_once(&[&token, VALUE], &distrusting, SOON, &path("kv/data/app"));
    let failure = fails(result, "unavailable", &["TLS with", "is signed by none of"]);
    assert!(!failure.what.contains("gave up"), "waiting mends nothing");
    assert_eq!(
        audited(&bao, "kv/data/app"),
        2,
        "one write of the test, one read"
    );
}

#[test]
fn row_06_a_server_of_tls_1_1_alone_is_not_spoken_to() {
    let authority = Authority::new();
    let bao = OpenBao::start_with(&Settings {
        durable: false,
        tls: Some(Tls {
            identity: authority.issue(&["127.0.0.1"]),
            ca: authority.pem().to_owned(),
            lines: "tls_min_version = \"tls10\"\ntls_max_version = \"tls11\"".to_owned(),
        }),
    });
    let (token, server) = with_policy(&bao, READ_ALL);
    let server = VaultServer {
        ca_file: Some(bao.ca_file()),
        ..server
    };
    let result = read_once(&[&token], &server, SOON, &path("kv/data/app"));
    fails(result, "unavailable", &["neither TLS 1.2 nor TLS 1.3"]);
}
