//! SOPS files whose data key a transit engine holds, made by the real sops with a real server.

use std::net::TcpListener;
use std::process::Command;

use keyferry::base::material::SecretBytes;
use keyferry::envelope::age;
use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::Scratch;
use crate::support::run::{Output, keyferry};
use crate::support::tools;

const CANARY: &str = "canary-value-7";
const PATH: &str = "transit/decrypt/app";

/// A server with a transit engine, an age key of ours, and the age recipient of a stranger.
struct Stand {
    bao: OpenBao,
    scratch: Scratch,
    own: String,
    stranger: String,
}

impl Stand {
    fn new() -> Self {
        let bao = OpenBao::start();
        bao.post("sys/mounts/transit", &json!({"type": "transit"}));
        bao.post("transit/keys/app", &json!({}));
        let scratch = Scratch::new("sops-transit");
        let generate = || Command::new(tools::age_keygen()).output().unwrap().stdout;
        let recipient = |key: Vec<u8>| {
            let identities = age::identities(&SecretBytes::from(key)).unwrap();
            identities[0].recipient().to_owned()
        };
        let key = generate();
        scratch.write("age.key", &key);
        scratch.write("root-token", bao.root_token());
        Self {
            own: recipient(key),
            stranger: recipient(generate()),
            bao,
            scratch,
        }
    }

    /// Each group has the age recipients that are given, and the transit key where that is said.
    fn encrypt(&self, name: &str, plain: &str, groups: &[(&[&str], bool)]) {
        let mut rules = "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n".to_owned();
        if groups.len() == 1 {
            rules = rules.replace("shamir_threshold: 2", "path_regex: .*");
        }
        for (recipients, transit) in groups {
            let uri = format!("{}/v1/transit/keys/app", self.bao.plain_addr());
            let transit = if *transit { vec![uri] } else { Vec::new() };
            rules += &format!(
                "      - {}\n",
                json!({"age": recipients, "hc_vault": transit})
            );
        }
        let rules = self.scratch.write("sops.yaml", rules);
        let plain = self.scratch.write(&format!("plain.{name}"), plain);
        let made = Command::new(tools::sops())
            .env_clear()
            .env("HOME", self.scratch.path())
            .env("VAULT_TOKEN", self.bao.root_token())
            .args(["--config".as_ref(), rules.as_os_str()])
            .args(["encrypt".as_ref(), plain.as_os_str()])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success(), "{name}: {told}");
        self.scratch.write(name, made.stdout);
    }

    /// A configuration that delivers these files, each to a file of its own.
    fn configure(&self, top: &str, files: &[&str]) {
        let deliveries = files.iter().map(|file| {
            format!(
                "  - {{name: {0}, from: [{{sops: {file}}}], to: [{{file: {{path: {0}.json}}}}]}}\n",
                &file[..1]
            )
        });
        let deliveries: String = deliveries.collect();
        let config = format!("name: transit-reader\n{top}deliveries:\n{deliveries}");
        self.scratch.write("keyferry.yaml", config);
    }

    fn vault(&self) -> String {
        format!(
            "vault: {{address: '{}', auth: {{token: {{file: token}}}}}}\n",
            self.bao.plain_addr()
        )
    }

    fn run(&self, args: &[&str]) -> Output {
        let done = keyferry().dir(self.scratch.path()).args(args).run();
        done.assert_no_canary(&[CANARY]);
        done
    }

    /// What is printed is granted, to a token that has nothing else.
    fn grant(&self) -> String {
        let apply = ["grants", "vault", "--apply", "--token-file", "root-token"];
        self.run(&apply).expect(0);
        let policies = json!({"policies": ["transit-reader"], "ttl": "1h"});
        self.scratch.write("token", self.bao.token(&policies));
        let stored = self.bao.get("sys/policy/transit-reader");
        stored["data"]["rules"].as_str().unwrap().to_owned()
    }

    fn is_delivered(&self, name: &str) -> bool {
        let file = self.scratch.path().join(format!("{name}.json"));
        std::fs::read_to_string(file).is_ok_and(|text| text.contains(CANARY))
    }

    /// How often keyferry asked the engine.
    fn asked(&self) -> usize {
        let audited = self.bao.audited();
        audited.iter().filter(|line| line.contains(PATH)).count()
    }
}

#[test]
fn row_197_what_a_transit_key_encrypted_opens_with_exactly_the_printed_right() {
    let stand = Stand::new();
    let (own, stranger) = (stand.own.as_str(), stand.stranger.as_str());
    let yaml = format!("password: {CANARY}\n");
    stand.encrypt("a.enc.yaml", &yaml, &[(&[], true)]);
    stand.encrypt(
        "b.enc.env",
        &format!("PASSWORD={CANARY}\n"),
        &[(&[own], true)],
    );
    stand.encrypt(
        "c.enc.json",
        &format!("{{\"p\": \"{CANARY}\"}}"),
        &[(&[stranger], true)],
    );
    stand.encrypt("d.enc.yaml", &yaml, &[(&[own], false), (&[], true)]);
    stand.encrypt(
        "e.enc.ini",
        &format!("[a]\np = {CANARY}\n"),
        &[(&[own], true), (&[own], false)],
    );
    let top = format!("{}keys: {{age: [{{file: age.key}}]}}\n", stand.vault());
    let files = [
        "a.enc.yaml",
        "b.enc.env",
        "c.enc.json",
        "d.enc.yaml",
        "e.enc.ini",
    ];
    stand.configure(&top, &files);

    let policy = stand.grant();
    let right = format!("path \"{PATH}\" {{ capabilities = [\"update\"] }}\n");
    assert_eq!(
        policy,
        format!("# keyferry: default/transit-reader\n{right}")
    );
    stand.run(&["check", "--access"]).expect(0);
    stand.run(&["job"]).expect(0);
    assert!(
        ["a", "b", "c", "d", "e"]
            .iter()
            .all(|name| stand.is_delivered(name))
    );
    // The age key opens the others, as far as it takes.
    assert_eq!(stand.asked(), 3, "{:?}", stand.bao.audited());
    let checked = stand.run(&["check", "--keys", "-o", "json"]).expect(0);
    assert!(
        checked.stdout.contains("/transit/app"),
        "{}",
        checked.stdout
    );

    let less = policy.replace(PATH, "transit/decrypt/other");
    stand.bao.policy("transit-reader", &less);
    let missing = stand.run(&["check", "--access"]).expect(3);
    assert!(missing.stdout.contains(PATH), "{}", missing.stdout);
    stand.configure(&stand.vault(), &["a.enc.yaml"]);
    let refused = stand.run(&["job"]).expect(3);
    let hint = format!("path \"{PATH}\" {{ capabilities = [\"update\"] }}");
    let told = refused.stderr.replace('\n', " ");
    let told: Vec<&str> = told.split_whitespace().collect();
    let told = told.join(" ");
    assert!(told.contains(&format!("may not write `{PATH}`")), "{told}");
    assert!(told.contains(&hint), "{told}");
}

#[test]
fn what_age_keys_may_open_too_is_printed_as_optional() {
    let stand = Stand::new();
    let yaml = format!("password: {CANARY}\n");
    stand.encrypt("b.enc.yaml", &yaml, &[(&[&stand.own], true)]);
    let keys = "keys: {age: [{file: age.key}]}\n";
    stand.configure(
        &format!("{}{keys}", stand.vault()),
        &["b.enc.yaml", "x.enc.yaml"],
    );
    let printed = stand.run(&["grants", "vault"]).expect(0).stdout;
    assert!(
        printed.contains("# for SOPS files that no age key opens\n"),
        "{printed}"
    );
    assert!(printed.contains("x.enc.yaml is left out"), "{printed}");
    stand.configure(&format!("{}{keys}", stand.vault()), &["b.enc.yaml"]);
    stand.scratch.write(
        "token",
        stand.bao.token(&json!({"policies": ["none"], "ttl": "1h"})),
    );
    stand.run(&["check", "--access"]).expect(0);
    stand.run(&["job"]).expect(0);
    assert!(stand.is_delivered("b"));
    assert_eq!(stand.asked(), 0);
}

#[test]
fn row_198_only_the_server_of_the_configuration_is_asked() {
    let stand = Stand::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = format!("http://{}", elsewhere.local_addr().unwrap());
    stand.encrypt(
        "a.enc.yaml",
        &format!("password: {CANARY}\n"),
        &[(&[], true)],
    );
    let file = std::fs::read_to_string(stand.scratch.path().join("a.enc.yaml")).unwrap();
    let moved = file.replace(&stand.bao.plain_addr(), &address);
    assert_ne!(moved, file);
    stand.configure(&stand.vault(), &["a.enc.yaml"]);
    stand.scratch.write("a.enc.yaml", &moved);
    stand.grant();
    stand.run(&["job"]).expect(0);
    assert!(stand.is_delivered("a"));

    // A key that is not there: both addresses are told.
    let other = moved.replace("key_name: app", "key_name: other");
    assert_ne!(other, moved);
    stand.scratch.write("a.enc.yaml", &other);
    stand.grant();
    let failed = stand.run(&["job"]).expect(5);
    for address in [&address, &stand.bao.plain_addr()] {
        assert!(
            failed.stderr.contains(address.as_str()),
            "{}",
            failed.stderr
        );
    }
    assert!(elsewhere.accept().is_err(), "the file's address was asked");
}

#[test]
fn row_196_a_file_that_names_another_path_is_refused_and_nothing_is_asked() {
    let stand = Stand::new();
    stand.encrypt(
        "a.enc.yaml",
        &format!("password: {CANARY}\n"),
        &[(&[], true)],
    );
    let file = std::fs::read_to_string(stand.scratch.path().join("a.enc.yaml")).unwrap();
    stand.configure(&stand.vault(), &["a.enc.yaml"]);
    stand.scratch.write("token", stand.bao.root_token());
    let before = stand.bao.audited().len();
    for (from, to, field) in [
        (
            "engine_path: transit",
            "engine_path: transit/../sys",
            "engine_path",
        ),
        (
            "engine_path: transit",
            "engine_path: sys/policy",
            "engine_path",
        ),
        ("key_name: app", "key_name: app?x=y", "key_name"),
        ("key_name: app", "key_name: ../encrypt/app", "key_name"),
    ] {
        let changed = file.replace(from, to);
        assert_ne!(changed, file);
        stand.scratch.write("a.enc.yaml", changed);
        let failed = stand.run(&["job"]).expect(5);
        assert!(failed.stderr.contains(field), "{}", failed.stderr);
    }
    let asked = stand.bao.audited();
    assert!(
        !asked[before..].iter().any(|line| line.contains("crypt")),
        "{asked:?}"
    );
}

#[test]
fn of_several_servers_only_that_of_the_file_is_asked() {
    let (stand, other) = (Stand::new(), Stand::new());
    let yaml = format!("password: {CANARY}\n");
    stand.encrypt("a.enc.yaml", &yaml, &[(&[], true)]);
    let server = |name: &str, at: &Stand, token: &str| {
        format!(
            "  {name}: {{address: '{}', auth: {{token: {{file: {token}}}}}}}\n",
            at.bao.plain_addr()
        )
    };
    stand.scratch.write("other-token", other.bao.root_token());
    stand.scratch.write("token", stand.bao.root_token());
    let one = server("second", &stand, "token");
    let servers = format!("vaults:\n{}{one}", server("first", &other, "other-token"));
    stand.configure(&servers, &["a.enc.yaml"]);
    let printed = stand.run(&["grants", "vault"]).expect(0).stdout;
    let path = format!("path \"{PATH}\"");
    assert_eq!(printed.matches(&path).count(), 1, "{printed}");
    stand.run(&["job"]).expect(0);
    assert!(stand.is_delivered("a"));
    assert_eq!((stand.asked(), other.asked()), (1, 0));

    // Neither of two is that of the file: nobody is asked, and both ways on are told.
    let servers = servers.replace(&stand.bao.plain_addr(), "http://127.0.0.1:9");
    stand.configure(&servers, &["a.enc.yaml"]);
    let failed = stand.run(&["job"]).expect(5);
    assert!(
        failed.stderr.contains(&stand.bao.plain_addr()),
        "{}",
        failed.stderr
    );
    assert_eq!((stand.asked(), other.asked()), (1, 0));
}

#[test]
fn manifests_open_by_a_transit_key_too() {
    let stand = Stand::new();
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let manifest = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db}}\nstringData: {{password: \
         {CANARY}}}\n"
    );
    stand.encrypt("a.enc.yaml", &manifest, &[(&[], true)]);
    let set = format!("manifests: [{{sops: a.enc.yaml, name: all, namespaces: [{namespace}]}}]\n");
    let config = format!("name: transit-reader\n{}{set}", stand.vault());
    stand.scratch.write("keyferry.yaml", config);
    let policy = stand.grant();
    assert!(policy.contains(PATH), "{policy}");
    cluster.grant(
        &namespace,
        "job",
        &json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch"]}]),
    );
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "job");
    let done = keyferry()
        .dir(stand.scratch.path())
        .env("KUBECONFIG", &kubeconfig)
        .args(["job"])
        .run();
    done.expect(0).assert_no_canary(&[CANARY]);
    let value = cluster.secret_value(&namespace, "db", "password");
    assert_eq!(value.as_deref(), Some(CANARY.as_bytes()));
    assert_eq!(stand.asked(), 1);
}
