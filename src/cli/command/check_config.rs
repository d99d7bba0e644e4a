//! `strongroom check-config`

use std::path::Path;

use serde_json::json;

use crate::cli::report::{Failure, Report, facts};

pub fn run(path: &Path, report: &Report) -> Result<(), Failure> {
    let config = super::config(path)?;
    let templates = config.load_templates().map_err(Failure::broken)?;
    let templates: Vec<&str> = templates.iter().map(|template| template.name.as_str()).collect();
    let tokens: Vec<_> = config
        .tokens
        .iter()
        .map(|(name, token)| format!("{name} (profile {})", token.profile.name))
        .collect();
    let result = json!({
        "config": path,
        "data_dir": config.data_dir,
        "listen": config.listen,
        "tokens": config.tokens.keys().collect::<Vec<_>>(),
        "templates": templates,
    });
    report.print(&result, |_| {
        let facts = facts([
            ("data_dir", Some(config.data_dir.display().to_string())),
            ("listen", Some(config.listen.to_string())),
            ("tokens", Some(tokens.join(", "))),
            ("templates", Some(templates.join(", ")).filter(|names| !names.is_empty())),
        ]);
        format!("{} is good\n{facts}", path.display())
    })
}
