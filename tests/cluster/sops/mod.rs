//! SOPS files as the real `sops` writes them: what it opens we open to the same data, what it
//! refuses we refuse.

mod damage;
mod generate;
mod recipients;
mod sources;
mod transit;
mod types;

use std::path::{Path, PathBuf};
use std::process::Command;

use keyferry::base::material::{Node, SecretBytes};
use keyferry::envelope::age::{self, Identity};
use keyferry::envelope::sops::{self, OpenedSops, SopsError, SopsPolicy};
use keyferry::format::document::{self, DocumentFormat};
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
        let decrypt = |output| {
            let arguments = [
                "decrypt",
                "--input-type",
                word(format),
                "--output-type",
                output,
            ];
            self.sops(&arguments, &file)
        };
        let json = |text| (text, DocumentFormat::Json);
        let (text, read_as) = match format {
            DocumentFormat::Raw => (decrypt("binary")?, DocumentFormat::Raw),
            // Only INI can say that there are several sections of one name.
            DocumentFormat::Ini => (decrypt("ini")?, format),
            // Only YAML has room for several documents and for infinities; JSON tells types best.
            DocumentFormat::Yaml if contains(encrypted, b"\n---\n") => (self.yaml(&file)?, format),
            DocumentFormat::Yaml => match decrypt("json") {
                Err(why) if why.contains("unsupported value") => (self.yaml(&file)?, format),
                text => json(text?),
            },
            DocumentFormat::Json | DocumentFormat::Dotenv => json(decrypt("json")?),
        };
        let nodes = document::parse(SecretBytes::from(text), read_as);
        Ok(values(&nodes.map_err(|error| error.to_string())?))
    }

    /// As YAML of today's rules, which know neither merge keys nor lines that end in U+2028.
    fn yaml(&self, file: &Path) -> Result<Vec<u8>, String> {
        let arguments = ["decrypt", "--input-type", "yaml", "--output-type", "yaml"];
        let text = self.sops(&arguments, file)?;
        let mut text = String::from_utf8(text)
            .unwrap()
            .replace("!!merge <<:", "'<<':");
        for end in ['\u{2028}', '\u{2029}'] {
            while text.contains(&format!("{end} ")) {
                text = text.replace(&format!("{end} "), &end.to_string());
            }
        }
        Ok(text.into_bytes())
    }

    fn open(
        &self,
        bytes: &[u8],
        format: DocumentFormat,
        allow: bool,
    ) -> Result<OpenedSops, SopsError> {
        let policy = SopsPolicy {
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
        Node::Number(text) if text.expose_str().unwrap().ends_with(['f', 'n']) => {
            Value::from(text.expose_str())
        }
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
        Node::Time(text) | Node::Text(text) => match text.expose_str() {
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

/// What says which values are encrypted; a binary file has one value, so only the first is of use
/// there.
const RULES: [&str; 7] = [
    "",
    "encrypted_suffix: _secret",
    "unencrypted_suffix: _clear",
    "encrypted_regex: '^(data|stringData|pass.*|s\\d)$'",
    "unencrypted_regex: '(?i)URL|^k\\.'",
    "encrypted_comment_regex: encrypt",
    "unencrypted_comment_regex: clear",
];

/// How keys are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Groups {
    Both,
    TwoOfThree,
    Stranger,
    Ssh,
    One,
}

const GROUPS: [Groups; 5] = [
    Groups::Both,
    Groups::TwoOfThree,
    Groups::Stranger,
    Groups::Ssh,
    Groups::One,
];

/// The options of one random file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Choice {
    format: DocumentFormat,
    rule: &'static str,
    mac_only: bool,
    groups: Groups,
}

/// Each combination once: so many trees as there are of them hold all pairs of options.
fn choices() -> Vec<Choice> {
    let mut all = Vec::new();
    for groups in GROUPS {
        for mac_only in [false, true] {
            for rule in RULES {
                let formats = FORMATS.into_iter();
                let useful =
                    formats.filter(|format| *format != DocumentFormat::Raw || rule.is_empty());
                all.extend(useful.map(|format| Choice {
                    format,
                    rule,
                    mac_only,
                    groups,
                }));
            }
        }
    }
    all
}

impl Choice {
    fn plain(self, random: &mut Random) -> Vec<u8> {
        match self.format {
            DocumentFormat::Yaml => generate::yaml(random).into_bytes(),
            DocumentFormat::Json => generate::json(random).into_bytes(),
            DocumentFormat::Dotenv => generate::dotenv(random).into_bytes(),
            DocumentFormat::Ini => generate::ini(random).into_bytes(),
            DocumentFormat::Raw => generate::binary(random),
        }
    }

    /// As lines of a creation rule.
    fn options(self) -> String {
        let mut options = format!("    {}\n", self.rule);
        if self.mac_only {
            options.push_str("    mac_only_encrypted: true\n");
        }
        if self.groups == Groups::TwoOfThree {
            options.push_str("    shamir_threshold: 2\n");
        }
        options
    }

    fn recipients(self, desk: &Desk) -> Vec<Vec<String>> {
        let own = |at: usize| desk.keys[at].recipient().to_owned();
        let stranger = || desk.stranger.clone();
        match self.groups {
            Groups::Both => vec![vec![own(0)], vec![own(1)]],
            Groups::TwoOfThree => vec![vec![own(1)], vec![stranger()], vec![own(2)]],
            Groups::Stranger => vec![vec![stranger(), own(1)]],
            Groups::Ssh => vec![vec![own(2)]],
            Groups::One => vec![vec![own(0)]],
        }
    }
}

/// One random file, encrypted by sops.
struct Sample {
    choice: Choice,
    plain: Vec<u8>,
    encrypted: Vec<u8>,
    expected: Vec<Value>,
}

fn sample(desk: &Desk, choice: Choice, seed: u64) -> Result<Sample, String> {
    let plain = choice.plain(&mut Random::new(seed));
    let groups = choice.recipients(desk);
    let encrypted = desk.encrypt(&plain, choice.format, &groups, &choice.options())?;
    let expected = desk.decrypt(&encrypted, choice.format)?;
    Ok(Sample {
        choice,
        plain,
        encrypted,
        expected,
    })
}

fn tell(seed: u64, sample: &Sample) -> String {
    format!(
        "seed {seed} {:?}\n{}\n{}",
        sample.choice,
        String::from_utf8_lossy(&sample.plain),
        String::from_utf8_lossy(&sample.encrypted)
    )
}

/// What came of some random files.
#[derive(Default)]
struct Tally {
    same: usize,
    not_by_sops: Vec<String>,
    wrong: Vec<String>,
}

impl Tally {
    fn take(&mut self, desk: &Desk, choice: Choice, seed: u64) {
        let sample = match sample(desk, choice, seed) {
            Ok(sample) => sample,
            Err(why) => {
                return self
                    .not_by_sops
                    .push(format!("seed {seed} {choice:?}: {why}"));
            }
        };
        for allow in [true, false] {
            match desk.open(&sample.encrypted, choice.format, allow) {
                Ok(opened) if values(&opened.documents) == sample.expected => self.same += 1,
                Ok(opened) => self.wrong.push(format!(
                    "{}\nOURS {:?}\nSOPS {:?}",
                    tell(seed, &sample),
                    values(&opened.documents),
                    sample.expected
                )),
                Err(SopsError::Unauthenticated { .. }) if !allow && choice.mac_only => {}
                Err(error) => self.wrong.push(format!("{}\n{error}", tell(seed, &sample))),
            }
        }
    }
}

/// Trees of the long run: `KEYFERRY_SOPS_TREES=5000 cargo test --test cluster row_175`.
fn trees() -> u64 {
    let asked = std::env::var_os("KEYFERRY_SOPS_TREES");
    let asked = asked.and_then(|text| text.to_str()?.parse().ok());
    asked.unwrap_or(300)
}

#[test]
fn row_175_what_sops_encrypts_opens_to_what_sops_decrypts() {
    let (trees, choices) = (trees(), choices());
    assert!(
        trees >= u64::try_from(choices.len()).unwrap(),
        "not all pairs of options"
    );
    let workers: u64 = 4;
    let of = |worker: u64| {
        let desk = Desk::new();
        let mut tally = Tally::default();
        for seed in (worker..trees).step_by(usize::try_from(workers).unwrap()) {
            let at = usize::try_from(seed).unwrap() % choices.len();
            tally.take(&desk, choices[at], seed);
        }
        tally
    };
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || of(worker)))
            .collect();
        running
            .into_iter()
            .map(|one| one.join().expect("no panic"))
            .collect()
    });
    let same: usize = tallies.iter().map(|tally| tally.same).sum();
    let gather = |part: fn(&Tally) -> &[String]| -> Vec<String> {
        tallies
            .iter()
            .flat_map(|tally| part(tally).to_vec())
            .collect()
    };
    let not_by_sops = gather(|tally| &tally.not_by_sops);
    let wrong = gather(|tally| &tally.wrong);
    eprintln!(
        "{trees} trees: {same} the same, {} not by sops itself, {} wrong",
        not_by_sops.len(),
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    let opened = u64::try_from(same).unwrap();
    let refused = u64::try_from(not_by_sops.len()).unwrap();
    assert!(refused * 5 < trees && opened > trees, "{not_by_sops:#?}");
}
