//! The files that keyferry reads. None of them may be a target: a run would overwrite its own
//! input.

use std::path::Path;

use super::Config;

impl Config {
    /// Every file that is read, with a word for its kind, except the configuration and its
    /// templates.
    pub fn inputs(&self) -> Vec<(&Path, &'static str)> {
        let mut all: Vec<(&Path, &'static str)> = Vec::new();
        for server in self.vaults.values() {
            let files = server.auth.files().into_iter();
            all.extend(files.map(|file| (file, "a credential")));
            all.extend(server.ca_file.as_deref().map(|file| (file, "a CA file")));
        }
        let age = self.keys.age.iter().flat_map(|age| age.key.files());
        let sealed = self
            .keys
            .sealed
            .iter()
            .filter_map(|sealed| sealed.key.file());
        all.extend(age.chain(sealed).map(|file| (file, "a key")));
        let sources = self.sources().filter_map(|(_, source)| source.file());
        all.extend(sources.map(|file| (file, "a source")));
        for reaction in self
            .deliveries
            .iter()
            .flat_map(|delivery| &delivery.on_change)
        {
            all.extend(reaction.files());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load::of_text;

    #[test]
    fn row_115_all_that_is_read_is_known() {
        let text = "
name: test
vaults:
  a: {address: 'https://a:1', caFile: ca.pem, auth: {appRole: {roleIdFile: role, secretIdFile: secret}}}
  b: {address: 'https://b:1', auth: {token: {file: token}}}
  c: {address: 'https://c:1', auth: {jwt: {role: r, tokenFile: jwt}}}
  d: {address: 'https://d:1', auth: {kubernetes: {role: r, tokenFile: pod}}}
keys: {age: [{file: age}, {ssh: ssh}, {passphraseFile: words}], sealed: [{file: sealing}]}
deliveries:
  - name: one
    from: [{age: x.env.age}, {sops: y.enc.env}, {sealed: z.yaml}]
    to: [{file: {path: out.env}}]
    onChange: [{webhook: {url: 'https://w', caFile: hook.pem, keyFile: hook.key}}]
manifests: [{sealed: set.yaml}]
";
        let config = of_text(text);
        let names = config.inputs().into_iter().map(|(file, what)| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            format!("{name}: {what}")
        });
        let names: Vec<String> = names.collect();
        assert_eq!(
            names,
            [
                "role: a credential",
                "secret: a credential",
                "ca.pem: a CA file",
                "token: a credential",
                "jwt: a credential",
                "pod: a credential",
                "age: a key",
                "ssh: a key",
                "words: a key",
                "sealing: a key",
                "x.env.age: a source",
                "y.enc.env: a source",
                "z.yaml: a source",
                "set.yaml: a source",
                "hook.pem: a CA file",
                "hook.key: a key",
            ]
        );
    }
}
