//! Issuing templates: those that come with the program and those of the operator's directory, which
//! take the place of ready-made ones of the same name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Config, Error};
use crate::domain::template::{Template, Templates};

/// The templates that come with the program: name and text.
const READY_MADE: &[(&str, &str)] = &[
    ("code-signing", include_str!("templates/code-signing.toml")),
    ("intermediate-ca", include_str!("templates/intermediate-ca.toml")),
    ("iot-device", include_str!("templates/iot-device.toml")),
    ("s-mime", include_str!("templates/s-mime.toml")),
    ("tls-client", include_str!("templates/tls-client.toml")),
    ("tls-server", include_str!("templates/tls-server.toml")),
];

/// `[templates]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSources {
    /// The operator's own: each file `NAME.toml` in it.
    pub dir: Option<PathBuf>,
    /// Names of the ready-made ones that are offered.
    pub ready_made: Vec<String>,
    /// By tenant: the one that judges requests which name none.
    pub by_default: BTreeMap<String, String>,
    /// Whether requests that have none by then are refused.
    pub required: bool,
}

impl Config {
    /// Reads the issuing templates; again, when the files may have changed. Each is checked by itself
    /// and against the tokens of this configuration.
    ///
    /// # Errors
    /// A file cannot be read or is no template; the message carries its name and the line or field.
    pub fn load_templates(&self) -> Result<Templates, Error> {
        let mut templates = Vec::new();
        for name in &self.templates.ready_made {
            let fail = |message| Error::Content { path: PathBuf::from(name), message };
            templates.push(ready_made(name).map_err(fail)?);
        }
        for path in self.template_files()? {
            let template = template_file(&path)?;
            let fail = |message| Error::Content { path: path.clone(), message };
            has_name_of(&path, &template).and_then(|()| self.has_token_of(&template)).map_err(fail)?;
            templates.push(template);
        }
        let templates: Templates = templates.into_iter().collect();
        for (tenant, name) in &self.templates.by_default {
            if templates.for_tenant(tenant, name).is_none() {
                let message = format!("tenant `{tenant}` may use no template `{name}`");
                return Err(Error::Content { path: "templates.default_template".into(), message });
            }
        }
        Ok(templates)
    }

    /// In the order of their names; files that are hidden or of another kind are not templates.
    fn template_files(&self) -> Result<Vec<PathBuf>, Error> {
        let Some(dir) = &self.templates.dir else { return Ok(Vec::new()) };
        let fail = |source| Error::Read { path: dir.clone(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if path.extension().is_some_and(|extension| extension == "toml") && !is_hidden {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    fn has_token_of(&self, template: &Template) -> Result<(), String> {
        let Some(name) = &template.token else { return Ok(()) };
        let Some(token) = self.tokens.get(name) else {
            let known: Vec<&str> = self.tokens.keys().map(String::as_str).collect();
            return Err(format!(
                "token: there is no [tokens.{name}] in the configuration; there are {}",
                known.join(", ")
            ));
        };
        let default = template.keys.default;
        if !token.profile.keys.contains(&default) {
            return Err(format!(
                "keys.default: [tokens.{name}] makes no {default} keys; choose another default, or add it to the \
                 `keys` of the token"
            ));
        }
        Ok(())
    }
}

/// The names of the templates that come with the program.
pub fn ready_made_names() -> impl Iterator<Item = &'static str> {
    READY_MADE.iter().map(|(name, _)| *name)
}

/// A template by reference, as on a command line: `tls-server` comes with the program; with a `/` or
/// `.toml` it is a file.
///
/// # Errors
/// There is no such template, or its file cannot be read or is none.
pub fn template(reference: &str) -> Result<Template, Error> {
    if reference.contains('/') || reference.ends_with(".toml") {
        return template_file(Path::new(reference));
    }
    let fail = |message| Error::Content { path: PathBuf::from(reference), message };
    ready_made(reference).map_err(|error| fail(format!("{error}; a file is named with `/` or `.toml`")))
}

fn ready_made(name: &str) -> Result<Template, String> {
    Template::from_toml(ready_made_text(name)?).map_err(|error| error.to_string())
}

pub(super) fn ready_made_text(name: &str) -> Result<&'static str, String> {
    let found = READY_MADE.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        let known: Vec<&str> = ready_made_names().collect();
        format!("no template of this name comes with strongroom; there are {}", known.join(", "))
    })
}

fn template_file(path: &Path) -> Result<Template, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Template::from_toml(&text)
        .map_err(|error| Error::Content { path: path.to_owned(), message: error.to_string() })
}

/// So that no two files have one name, and which ready-made one a file takes the place of is seen.
fn has_name_of(path: &Path, template: &Template) -> Result<(), String> {
    let name = &template.name;
    match path.file_stem().is_some_and(|stem| stem == name.as_str()) {
        true => Ok(()),
        false => Err(format!("name: is `{name}`; the file of this template is to be called {name}.toml")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ConfigSpec;
    use super::*;

    const CONFIG: &str = "version = 1\n[tokens.main]\nprofile = \"softhsm2\"\nlabel = \"strongroom\"\n\
                          pin_file = \"pin\"\nkeys = [\"ec-p256\"]\n[templates]\n";
    const OWN: &str = "version = 1\nname = \"own\"\nsubject.CN = {}\nkeys.kinds = [\"ec-p256\"]\n";

    /// What is loaded from a directory with these files, in the order of the names.
    fn load(settings: &str, files: &[(&str, &str)]) -> Result<Vec<Template>, String> {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("templates");
        std::fs::create_dir(&dir).unwrap();
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let spec = ConfigSpec::parse(&format!("{CONFIG}{settings}")).unwrap();
        let config = Config::from_spec(spec, base.path())?;
        let templates = config.load_templates().map_err(|error| error.to_string())?;
        Ok(templates.iter().map(|template| (**template).clone()).collect())
    }

    fn names(templates: &[Template]) -> Vec<&str> {
        templates.iter().map(|template| template.name.as_str()).collect()
    }

    #[test]
    fn every_ready_made_template_is_one_and_has_its_name() {
        for name in ready_made_names() {
            let template = ready_made(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(template.name, name);
            assert!(!template.description.is_empty(), "{name}");
        }
        assert_eq!(names(&load("", &[]).unwrap()), ready_made_names().collect::<Vec<_>>());
    }

    #[test]
    fn files_take_the_place_of_ready_made_templates() {
        let server = OWN.replace("\"own\"", "\"tls-server\"");
        let settings = "dir = \"templates\"\nready_made = [\"tls-client\", \"tls-server\"]\n";
        let ignored = ("README.md", "no template");
        let files = [("own.toml", OWN), ("tls-server.toml", &server), ignored, (".own.toml", "")];
        let loaded = load(settings, &files).unwrap();
        assert_eq!(names(&loaded), ["own", "tls-client", "tls-server"]);
        assert_eq!(loaded[2].description, "", "the file's, not the ready-made one");
        assert_eq!(names(&load("dir = \"templates\"\nready_made = []\n", &[]).unwrap()), [""; 0]);
    }

    #[test]
    fn whoever_has_templates_of_his_own_offers_no_others_by_accident() {
        let loaded = load("dir = \"templates\"\n", &[("own.toml", OWN)]).unwrap();
        assert_eq!(names(&loaded), ["own"]);
    }

    #[test]
    fn wrong_files_are_told_by_name_and_place() {
        let with = |more: &str| format!("{OWN}{more}\n");
        let rsa = OWN.replace("ec-p256", "rsa-2048");
        for (file, text, expected) in [
            ("own.toml", with("lable = 1"), "line 5"),
            ("own.toml", with("subject.O.patterns = ['(']"), "line 5"),
            ("own.toml", with("sans.min = 1"), "own.toml: sans.min: is 1, but the kinds allow 0"),
            ("other.toml", OWN.to_owned(), "other.toml: name: is `own`"),
            ("own.toml", with("token = \"vault\""), "no [tokens.vault] in the configuration; there are main"),
            ("own.toml", format!("{rsa}token = \"main\"\n"), "keys.default: [tokens.main] makes no rsa-2048"),
        ] {
            let error = load("dir = \"templates\"\n", &[(file, &text)]).unwrap_err();
            assert!(error.contains(file) && error.contains(expected), "{text}\n{error}");
        }
    }

    #[test]
    fn wrong_settings_are_told() {
        let missing = load("dir = \"nowhere\"\n", &[]).unwrap_err();
        assert!(missing.starts_with("cannot read ") && missing.contains("nowhere"), "{missing}");
        let unknown = load("ready_made = [\"tls-sever\"]\n", &[]).unwrap_err();
        assert!(unknown.contains("tls-sever") && unknown.contains("tls-server"), "{unknown}");
    }
}
