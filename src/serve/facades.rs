//! The facades of a configuration, as the router takes them.

use std::sync::Arc;

use crate::auth;
use crate::auth::access_token::AccessTokens;
use crate::config::{
    CloudflareConfig, Config, InfisicalConfig, KeyfactorConfig, VenafiApplication, VenafiConfig, VenafiZone,
};
use crate::http::facade::{Facades, cloudflare, infisical, keyfactor, venafi};

/// Those that are switched on.
///
/// # Errors
/// The key of the access tokens cannot be read or made.
pub(super) fn facades(config: &Config) -> Result<Facades, auth::Error> {
    let facades = &config.facades;
    Ok(Facades {
        cloudflare: facades.cloudflare.clone().map(|cloudflare| {
            let CloudflareConfig { accounts, zones, public_suffix_rules } = cloudflare;
            cloudflare::Settings { accounts, zones, public_suffix_rules }
        }),
        infisical: match &facades.infisical {
            Some(infisical) => Some(infisical_settings(config, infisical)?),
            None => None,
        },
        keyfactor: facades.keyfactor.clone().map(|keyfactor| {
            let KeyfactorConfig { tenants, templates, enrollment_patterns } = keyfactor;
            keyfactor::Settings { tenants, templates, enrollment_patterns }
        }),
        venafi: facades.venafi.clone().map(|venafi| {
            let VenafiConfig { applications, zones } = venafi;
            venafi::Settings {
                applications: applications.into_iter().map(application).collect(),
                zones: zones.into_iter().map(zone).collect(),
            }
        }),
    })
}

fn infisical_settings(
    config: &Config,
    infisical: &InfisicalConfig,
) -> Result<infisical::Settings, auth::Error> {
    let projects = infisical.projects.iter().map(|(id, project)| {
        let (tenant, slug) = (project.tenant.clone(), project.slug.clone());
        (id.clone(), infisical::Project { tenant, slug })
    });
    let tokens = Arc::new(AccessTokens::open(&config.access_token_key_file())?);
    Ok(infisical::Settings { projects: projects.collect(), tokens })
}

fn application(application: VenafiApplication) -> venafi::Application {
    let VenafiApplication { name, tenant, templates } = application;
    venafi::Application { name, tenant, templates }
}

fn zone(zone: VenafiZone) -> venafi::Zone {
    let VenafiZone { tag, tenant, template } = zone;
    venafi::Zone { tag, tenant, template }
}
