//! The facades of a configuration, as the router takes them.

use crate::config::{
    CloudflareConfig, FacadesConfig, KeyfactorConfig, VenafiApplication, VenafiConfig, VenafiZone,
};
use crate::http::facade::{Facades, cloudflare, keyfactor, venafi};

/// Those that are switched on.
pub(super) fn facades(config: &FacadesConfig) -> Facades {
    Facades {
        cloudflare: config.cloudflare.clone().map(|cloudflare| {
            let CloudflareConfig { accounts, zones, public_suffix_rules } = cloudflare;
            cloudflare::Settings { accounts, zones, public_suffix_rules }
        }),
        keyfactor: config.keyfactor.clone().map(|keyfactor| {
            let KeyfactorConfig { tenants, templates, enrollment_patterns } = keyfactor;
            keyfactor::Settings { tenants, templates, enrollment_patterns }
        }),
        venafi: config.venafi.clone().map(|venafi| {
            let VenafiConfig { applications, zones } = venafi;
            venafi::Settings {
                applications: applications.into_iter().map(application).collect(),
                zones: zones.into_iter().map(zone).collect(),
            }
        }),
    }
}

fn application(application: VenafiApplication) -> venafi::Application {
    let VenafiApplication { name, tenant, templates } = application;
    venafi::Application { name, tenant, templates }
}

fn zone(zone: VenafiZone) -> venafi::Zone {
    let VenafiZone { tag, tenant, template } = zone;
    venafi::Zone { tag, tenant, template }
}
