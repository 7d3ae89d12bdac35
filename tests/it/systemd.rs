//! The systemd units of the examples: they say only what systemd knows, and run what keyferry
//! takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyferry::base::failure::Class;

use crate::support::run::{binary, keyferry};

/// By section, then key: every value in its order.
type Unit = BTreeMap<String, BTreeMap<String, Vec<String>>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/axion")
}

fn unit(name: &str) -> Unit {
    let text = fs::read_to_string(folder().join("systemd").join(name)).unwrap();
    let (mut unit, mut section) = (Unit::new(), String::new());
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            Some(name) => {
                section = name.to_owned();
                let before = unit.insert(section.clone(), BTreeMap::new());
                assert!(before.is_none(), "{name} twice");
            }
            None => {
                let (key, value) = line.split_once('=').expect("KEY=VALUE");
                let keys = unit.get_mut(&section).expect("a section");
                keys.entry(key.to_owned())
                    .or_default()
                    .push(value.to_owned());
            }
        }
    }
    unit
}

#[test]
fn the_service_of_axion_runs_a_job_and_tries_again_only_what_may_heal() {
    let service = &unit("keyferry-axion.service")["Service"];
    assert_eq!(service["Type"], ["oneshot"]);
    let [command] = service["ExecStart"].as_slice() else {
        panic!("one command: {service:?}");
    };
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/keyferry"));
    let here = folder().join("keyferry.yaml").display().to_string();
    let words = words.map(|word| word.replace("/etc/axion/keyferry.yaml", &here));
    // Where nobody listens it ends with the code that is tried again, not with one of a mistake.
    let home = tempfile::tempdir().unwrap();
    for file in ["role-id", "secret-id"] {
        fs::write(home.path().join(file), "x").unwrap();
    }
    let environment = &service["Environment"];
    assert_eq!(environment, &["AXION_HOME=/srv/axion"]);
    keyferry()
        .args(words)
        .env("AXION_HOME", home.path())
        .env("AXION_CREDENTIALS", home.path())
        .env("VAULT_ADDR", "http://127.0.0.1:1")
        .env("KEYFERRY_DEADLINE", "1s")
        .run()
        .expect(Class::Unavailable.exit_code().into());
    let given_up: BTreeSet<u8> = service["RestartPreventExitStatus"][0]
        .split(' ')
        .map(|code| code.parse().unwrap())
        .collect();
    let codes = Class::ALL.iter().map(|class| class.exit_code());
    let never = codes.filter(|code| *code != Class::Unavailable.exit_code());
    assert_eq!(given_up, never.collect());
    assert_eq!(service["ReadWritePaths"], ["/srv/axion"]);
    let timer = unit("keyferry-axion.timer");
    assert_eq!(timer["Install"]["WantedBy"], ["timers.target"]);
}

#[test]
fn the_role_of_axion_is_what_its_page_says() {
    let printed = keyferry()
        .dir(folder())
        .args("grants vault --config keyferry.yaml --name axion -o commands".split(' '))
        .run()
        .expect(0)
        .stdout;
    let page = fs::read_to_string(folder().join("README.md")).unwrap();
    assert!(page.contains("keyferry grants vault --config keyferry.yaml --name axion -o commands"));
    for line in [
        "vault policy write axion - <<'END'",
        "path \"kv/data/axion/deployment-service\" { capabilities = [\"read\"] }",
        "vault write auth/approle/role/axion \\",
    ] {
        assert!(
            printed.lines().any(|found| found == line),
            "{line}: {printed}"
        );
    }
}

#[test]
fn systemd_finds_no_mistake_in_the_units() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("no systemd-analyze on PATH: the units were only parsed");
        return;
    }
    // It wants the programs to be there.
    let copies = tempfile::tempdir().unwrap();
    let names = ["keyferry-axion.service", "keyferry-axion.timer"];
    for name in names {
        let text = fs::read_to_string(folder().join("systemd").join(name)).unwrap();
        let program = binary().into_string().unwrap();
        let text = text.replace("/usr/local/bin/keyferry", &program);
        fs::write(
            copies.path().join(name),
            text.replace("/usr/bin/docker", "/bin/true"),
        )
        .unwrap();
    }
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .args(names.map(|name| copies.path().join(name)))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let ours = said.lines().filter(|line| line.contains("keyferry-axion"));
    let ours: Vec<&str> = ours.collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
}
