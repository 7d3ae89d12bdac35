//! SOPS files as the real `sops` writes them: what it opens we open to the same data, what it refuses we refuse.

mod damage;
mod generate;
mod recipients;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

use keyferry::config::DocumentFormat;
use keyferry::envelope::age::{self, Identity};
use keyferry::envelope::document;
use keyferry::envelope::sops::{self, Opened, Policy, SopsError};
use keyferry::material::{Node, SecretBytes};
use serde_json::Value;

use crate::support::process::Scratch;
use crate::support::random::Random;
use crate::support::tools;

const SSH_KEY: &str = "tests/vectors/age/made/ssh_ed25519";
const FORMATS: [DocumentFormat; 5] = [
    DocumentFormat::Yaml,
    DocumentFormat::Json,
    DocumentFormat::Dotenv,
    DocumentFormat::Ini,
    DocumentFormat::Raw,
];

/// What sops calls a format.
fn word(format: DocumentFormat) -> &'static str {
    match format {
        DocumentFormat::Yaml => "yaml",
        DocumentFormat::Json => "json",
        DocumentFormat::Dotenv => "dotenv",
        DocumentFormat::Ini => "ini",
        DocumentFormat::Raw => "binary",
    }
}

/// Keys, and a folder to work in.
struct Desk {
    scratch: Scratch,
    key_file: PathBuf,
    ssh_file: PathBuf,
    keys: Vec<Identity>,
    stranger: String,
}

impl Desk {
    fn new() -> Self {
        let scratch = Scratch::new("sops");
        let generate = || Command::new(tools::age_keygen()).output().unwrap().stdout;
        let both = [generate(), generate()].concat();
        let key_file = scratch.write("both.key", &both);
        let mut keys = age::identities(&SecretBytes::from(both)).unwrap();
        let ssh_file = Path::new(env!("CARGO_MANIFEST_DIR")).join(SSH_KEY);
        let ssh = std::fs::read(&ssh_file).unwrap();
        keys.push(Identity::ssh(&SecretBytes::from(ssh)).unwrap());
        let stranger = age::identities(&SecretBytes::from(generate())).unwrap();
        Self {
            key_file,
            ssh_file,
            keys,
            stranger: stranger[0].recipient().to_owned(),
            scratch,
        }
    }

    fn sops(&self, arguments: &[&str], file: &Path) -> Result<Vec<u8>, String> {
        let output = Command::new(tools::sops())
            .env_clear()
            .env("HOME", self.scratch.path())
            .env("SOPS_AGE_KEY_FILE", &self.key_file)
            .env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &self.ssh_file)
            .args(arguments)
            .arg(file)
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// `rule` are lines of a creation rule beside its keys.
    fn encrypt(
        &self,
        plain: &[u8],
        format: DocumentFormat,
        groups: &[Vec<String>],
        rule: &str,
    ) -> Result<Vec<u8>, String> {
        let mut config = "creation_rules:\n  - key_groups:\n".to_owned();
        for group in groups {
            config.push_str("      - age:\n");
            for recipient in group {
                config.push_str(&format!("          - {recipient}\n"));
            }
        }
        config.push_str(rule);
        let config = self.scratch.write("sops.yaml", config);
        let plain = self.scratch.write("plain", plain);
        let format = word(format);
        let config = config.to_str().unwrap();
        let arguments = [
            "--config",
            config,
            "encrypt",
            "--input-type",
            format,
            "--output-type",
            format,
        ];
        self.sops(&arguments, &plain)
    }

    /// As data.
    fn decrypt(&self, encrypted: &[u8], format: DocumentFormat) -> Result<Vec<Value>, String> {
        let file = self.scratch.write("encrypted", encrypted);
        // Only YAML has room for several documents; JSON tells types best.
        let (output, read_as) = match format {
            DocumentFormat::Raw => ("binary", DocumentFormat::Raw),
            DocumentFormat::Yaml if contains(encrypted, b"\n---\n") => ("yaml", format),
            DocumentFormat::Yaml
            | DocumentFormat::Json
            | DocumentFormat::Dotenv
            | DocumentFormat::Ini => ("json", DocumentFormat::Json),
        };
        let arguments = [
            "decrypt",
            "--input-type",
            word(format),
            "--output-type",
            output,
        ];
        let text = self.sops(&arguments, &file)?;
        let nodes = document::parse(SecretBytes::from(text), read_as);
        let mut nodes = nodes.map_err(|error| error.to_string())?;
        if let (DocumentFormat::Ini, [Node::Map(sections)]) = (format, &mut nodes[..]) {
            // sops shows it where nobody wrote it.
            sections.retain(|(name, node)| name != "DEFAULT" || *node != Node::Map(Vec::new()));
        }
        Ok(values(&nodes))
    }

    fn open(&self, bytes: &[u8], format: DocumentFormat, allow: bool) -> Result<Opened, SopsError> {
        let policy = Policy {
            allow_unauthenticated: allow,
        };
        sops::open(bytes, format, &self.keys, policy)
    }
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

/// Numbers by value, because JSON and YAML spell them differently; order and bytes kept.
fn values(nodes: &[Node]) -> Vec<Value> {
    nodes.iter().map(value).collect()
}

fn value(node: &Node) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::from(*value),
        Node::Number(text) => {
            let number: f64 = text.expose_str().unwrap().parse().unwrap();
            match text.expose_str().unwrap().parse::<i64>() {
                Ok(integer) => Value::from(integer),
                // Small whole floats are integers in JSON's spelling.
                Err(_) if number.fract() == 0.0 && number.abs() < 1e18 => {
                    Value::from(format!("{number:.0}").parse::<i64>().unwrap())
                }
                Err(_) => Value::from(vec![format!("{number:e}")]),
            }
        }
        Node::Text(text) => match text.expose_str() {
            Some(text) => Value::from(text),
            None => Value::from(format!("{:x?}", text.expose())),
        },
        Node::List(items) => items.iter().map(value).collect(),
        Node::Map(entries) => entries
            .iter()
            .map(|(key, node)| Value::from(vec![Value::from(key.as_str()), value(node)]))
            .collect(),
    }
}

/// One random file, encrypted by sops with random options.
struct Sample {
    format: DocumentFormat,
    plain: Vec<u8>,
    options: String,
    encrypted: Vec<u8>,
    expected: Vec<Value>,
}

fn sample(desk: &Desk, seed: u64) -> Result<Sample, String> {
    let mut random = Random::new(seed);
    let format = FORMATS[usize::try_from(seed).unwrap() % FORMATS.len()];
    let plain = match format {
        DocumentFormat::Yaml => generate::yaml(&mut random).into_bytes(),
        DocumentFormat::Json => generate::json(&mut random).into_bytes(),
        DocumentFormat::Dotenv => generate::dotenv(&mut random).into_bytes(),
        DocumentFormat::Ini => generate::ini(&mut random).into_bytes(),
        DocumentFormat::Raw => generate::binary(&mut random),
    };
    let rules: &[&str] = match format == DocumentFormat::Raw {
        true => &[""],
        false => &[
            "",
            "encrypted_suffix: _secret",
            "unencrypted_suffix: _clear",
            "encrypted_regex: '^(data|stringData|pass.*|s\\d)$'",
            "unencrypted_regex: '(?i)URL|^k\\.'",
            "encrypted_comment_regex: encrypt",
            "unencrypted_comment_regex: clear",
        ],
    };
    let mut options = format!("    {}\n", random.one(rules));
    if random.below(4) == 0 {
        options.push_str("    mac_only_encrypted: true\n");
    }
    let own: Vec<String> = desk
        .keys
        .iter()
        .map(|key| key.recipient().to_owned())
        .collect();
    let groups = match random.below(5) {
        0 => vec![vec![own[0].clone()], vec![own[1].clone()]],
        1 => {
            options.push_str("    shamir_threshold: 2\n");
            let stranger = vec![desk.stranger.clone()];
            vec![vec![own[1].clone()], stranger, vec![own[2].clone()]]
        }
        2 => vec![vec![desk.stranger.clone(), own[1].clone()]],
        3 => vec![vec![own[2].clone()]],
        _ => vec![vec![own[0].clone()]],
    };
    let encrypted = desk.encrypt(&plain, format, &groups, &options)?;
    let expected = desk.decrypt(&encrypted, format)?;
    Ok(Sample {
        format,
        plain,
        options,
        encrypted,
        expected,
    })
}

fn tell(seed: u64, sample: &Sample) -> String {
    format!(
        "seed {seed} {:?} {}\n{}\n{}",
        sample.format,
        sample.options,
        String::from_utf8_lossy(&sample.plain),
        String::from_utf8_lossy(&sample.encrypted)
    )
}

#[test]
fn what_sops_encrypts_opens_to_what_sops_decrypts() {
    let desk = Desk::new();
    let mut same = 0;
    let mut not_by_sops = Vec::new();
    let mut wrong = Vec::new();
    for seed in 1..=150 {
        let sample = match sample(&desk, seed) {
            Ok(sample) => sample,
            Err(why) => {
                not_by_sops.push(why);
                continue;
            }
        };
        for allow in [true, false] {
            match desk.open(&sample.encrypted, sample.format, allow) {
                Ok(opened) if values(&opened.documents) == sample.expected => same += 1,
                Ok(opened) => wrong.push(format!(
                    "{}\nOURS {:?}\nSOPS {:?}",
                    tell(seed, &sample),
                    values(&opened.documents),
                    sample.expected
                )),
                Err(SopsError::Unauthenticated { .. })
                    if !allow && sample.options.contains("mac_only") => {}
                Err(error) => wrong.push(format!("{}\n{error}", tell(seed, &sample))),
            }
        }
    }
    eprintln!(
        "{same} the same, {} not by sops itself, {} wrong",
        not_by_sops.len(),
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(not_by_sops.len() < 30 && same > 200, "{not_by_sops:?}");
}
