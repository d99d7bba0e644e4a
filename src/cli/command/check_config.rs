//! `strongroom check-config`

use std::path::Path;

use serde_json::json;

use crate::app::SystemClock;
use crate::cli::report::{Failure, Report, facts, say};
use crate::config::{Config, TlsConfig};
use crate::domain::clock::Clock;
use crate::serve;

pub fn run(path: &Path, report: &Report) -> Result<(), Failure> {
    let config = super::config(path)?;
    if let Some(tls) = &config.tls {
        check_tls(tls)?;
    }
    serve::check_webhooks(&config).map_err(Failure::broken)?;
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
        "tls": config.tls.as_ref().map(|tls| tls.listen),
        "tokens": config.tokens.keys().collect::<Vec<_>>(),
        "templates": templates,
        "webhooks": config.webhooks.iter().map(|webhook| &webhook.name).collect::<Vec<_>>(),
    });
    report.print(&result, |_| {
        let facts = facts([
            ("data_dir", Some(config.data_dir.display().to_string())),
            ("listen", Some(config.listen.to_string())),
            ("tls", tls_in_short(&config)),
            ("tokens", Some(tokens.join(", "))),
            ("templates", Some(templates.join(", ")).filter(|names| !names.is_empty())),
        ]);
        format!("{} is good\n{facts}", path.display())
    })
}

/// What the start would do; here an expired certificate is only a warning as well.
fn check_tls(tls: &TlsConfig) -> Result<(), Failure> {
    let identity = serve::tls_files(tls).load().map_err(serve::Error::from).map_err(Failure::broken)?;
    if let Some(warning) = identity.warning(SystemClock.now()) {
        say(format_args!("warning: {warning}"));
    }
    Ok(())
}

fn tls_in_short(config: &Config) -> Option<String> {
    let tls = config.tls.as_ref()?;
    let clients = match &tls.clients {
        None => "off",
        Some(clients) if clients.required => "required",
        Some(_) => "optional",
    };
    Some(format!("{} (client certificates {clients})", tls.listen))
}
