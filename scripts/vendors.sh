# shellcheck shell=bash
# The vendors' APIs of a quickstart: which tenants they serve, who may use them, and what their clients are told.
# Sourced by scripts/quickstart, whose variables it uses:
# shellcheck disable=SC2154

# Tenants of the vendors' APIs. A Cloudflare account and a zone are collections of their own.
readonly VENDOR_TENANTS=(cloudflare-account cloudflare-zone keyfactor venafi infisical)
# Identifiers as the vendor's look: 32 hexadecimal digits.
readonly CLOUDFLARE_ACCOUNT=0a000000000000000000000000000001
readonly CLOUDFLARE_ZONE=0b000000000000000000000000000001
# Principals. Cloudflare's clients name theirs by an e-mail address.
readonly CLOUDFLARE_PRINCIPAL=cloudflare@strongroom.example
readonly KEYFACTOR_PRINCIPAL=keyfactor
readonly VENAFI_PRINCIPAL=venafi
readonly INFISICAL_PRINCIPAL=infisical
# Infisical's clients name a project by its id or by its slug.
readonly INFISICAL_PROJECT_ID=5e1f0000-0000-4000-8000-000000000001
readonly INFISICAL_SLUG=quickstart
# The authority of the listener's certificate, and that of the zone which issues by itself.
readonly TLS_AUTHORITY=quickstart
readonly VENAFI_AUTHORITY=venafi-issuing
# The certificate of the listener is made anew when it ends within so many seconds.
readonly TLS_RENEWED_WITHIN=$((7 * 24 * 3600))

# What the configuration file says of the vendors' APIs.
vendor_settings() {
    cat <<END

# Cloudflare custom CSRs, under /client/v4: whose requests an account or a zone has.
[facades.cloudflare]
enabled = true
accounts = { "$CLOUDFLARE_ACCOUNT" = "cloudflare-account" }
zones = { "$CLOUDFLARE_ZONE" = "cloudflare-zone" }

# Keyfactor Command CSR generation, under /KeyfactorAPI.
[facades.keyfactor]
enabled = true
tenants = ["keyfactor"]

# Venafi's certificate requests: an application and a zone where they stay open until a certificate is imported, and
# others where they are issued at once.
[facades.venafi]
enabled = true
applications = [
    { name = "Quickstart", tenant = "venafi", templates = { Default = "venafi-open", Issued = "venafi-issued" } },
]
zones = [
    { tag = "quickstart", tenant = "venafi", template = "venafi-open" },
    { tag = "quickstart-issued", tenant = "venafi", template = "venafi-issued" },
]

# Infisical's internal CAs, under /api.
[facades.infisical]
enabled = true
projects = { "$INFISICAL_PROJECT_ID" = { tenant = "infisical", slug = "$INFISICAL_SLUG" } }

[templates]
dir = '$data/vendors/templates'
ready_made = ["tls-server", "tls-client", "code-signing", "s-mime", "intermediate-ca", "iot-device"]
END
    if [[ -e $data/vendors/tls.pem ]]; then
        cat <<END

# Some vendors' clients speak HTTPS only.
[tls]
listen = "$tls_listen"
certificate = '$data/vendors/tls.pem'
key = '$data/vendors/tls.key'
END
    fi
}

# Any host name and any key from RSA 2048 on: the vendor's clients decide.
write_vendor_templates() {
    mkdir -p -- "$data/vendors/templates"
    write_vendor_template venafi-open ''
    write_vendor_template venafi-issued "authority = \"$VENAFI_AUTHORITY\""
}

# write_vendor_template NAME AUTHORITY
write_vendor_template() {
    write_private "$data/vendors/templates/$1.toml" <<END
version = 1
name = "$1"
description = "Whatever a client of Venafi asks for"
$2

[subject]
CN = {}
O = {}
OU = {}
L = {}
ST = {}
C = {}

[sans]
max = 100

[sans.DNS]

[sans.IP]

[keys]
kinds = ["rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384"]
reuse = "allowed"

[extensions]
allowed = ["key_usage", "extended_key_usage", "basic_constraints", "subject_key_identifier"]

[validity]
default = 90
max = 825
END
}

# Tenants, principals, grants and credentials, as far as an earlier run has not made them. Secrets are in files
# of mode 0600.
make_vendors() {
    vendors=$data/vendors
    mkdir -p -- "$vendors"
    local tenant
    unless_there "$vendors/admin" principal bootstrap vendors-admin
    for tenant in "${VENDOR_TENANTS[@]}"; do
        unless_listed tenant "$tenant" tenant new "$tenant"
    done
    make_client "$CLOUDFLARE_PRINCIPAL" cloudflare cloudflare-account cloudflare-zone
    make_client "$KEYFACTOR_PRINCIPAL" keyfactor keyfactor
    make_client "$VENAFI_PRINCIPAL" venafi venafi
    make_client "$INFISICAL_PRINCIPAL" infisical infisical
    # Authorities are made, and certificates revoked, by operators.
    as_admin principal grant "$VENAFI_PRINCIPAL" operator --in venafi >/dev/null
    as_admin principal grant "$INFISICAL_PRINCIPAL" operator --in infisical >/dev/null
    make_authority "$TLS_AUTHORITY" default
    make_authority "$VENAFI_AUTHORITY" venafi
}

# make_authority NAME TENANT: a root.
make_authority() {
    local listed
    listed=$("$strongroom" ca list --config "$config" --tenant "$2" --json)
    [[ $listed == *"\"name\": \"$1\""* ]] ||
        "$strongroom" ca new "$1" --subject "CN=strongroom $1" --config "$config" --tenant "$2" >/dev/null
}

# A certificate for the HTTPS listener, from the authority in the token. True if there is a new one, which the service
# has not read yet.
make_tls_certificate() {
    [[ ! -e $vendors/tls.pem ]] || ! openssl x509 -in "$vendors/tls.pem" -noout -checkend "$TLS_RENEWED_WITHIN" >/dev/null ||
        return 1
    local host=${tls_listen%:*} names=DNS:localhost
    host=${host#[}
    host=${host%]}
    names+=,IP:$host
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$vendors/tls.key" -subj "/CN=localhost" \
        -addext "subjectAltName=$names" 2>/dev/null |
        "$strongroom" ca issue "$TLS_AUTHORITY" - --days 90 --config "$config" --tenant default |
        write_private "$vendors/tls.pem"
    "$strongroom" ca show "$TLS_AUTHORITY" --pem --config "$config" --tenant default | write_private "$vendors/ca.pem"
}

# make_client PRINCIPAL NAME TENANT...: may ask for CSRs in these tenants; has an API key and a password.
make_client() {
    local principal=$1 name=$2 tenant
    shift 2
    unless_listed principal "$principal" principal new "$principal" --kind service
    for tenant in "$@"; do
        as_admin principal grant "$principal" requester --in "$tenant" >/dev/null
    done
    unless_there "$vendors/$name.api-key" api-key new "$principal"
    unless_there "$vendors/$name.password" credential new "$principal" --basic
}

# unless_there FILE COMMAND...: writes a secret to a file that is not there yet.
unless_there() {
    local file=$1
    shift
    [[ -e $file ]] || as_admin "$@" --out "$file" >/dev/null
}

# unless_listed NOUN NAME COMMAND...
unless_listed() {
    local noun=$1 name=$2
    shift 2
    [[ $(as_admin "$noun" list --json) == *"\"name\": \"$name\""* ]] || as_admin "$@" >/dev/null
}

# The first call makes the admin, as the user whom the service runs as.
as_admin() {
    local key=()
    [[ ! -e $vendors/admin ]] || key=(--api-key-file "$vendors/admin")
    "$strongroom" "$@" --config "$config" "${key[@]}"
}

# For the file of --env.
vendor_environment() {
    cat <<END
CLOUDFLARE_BASE_URL=http://$listen/client/v4
CLOUDFLARE_API_TOKEN=$(<"$vendors/cloudflare.api-key")
CLOUDFLARE_EMAIL=$CLOUDFLARE_PRINCIPAL
CLOUDFLARE_API_KEY=$(<"$vendors/cloudflare.password")
CLOUDFLARE_ACCOUNT_ID=$CLOUDFLARE_ACCOUNT
CLOUDFLARE_ZONE_ID=$CLOUDFLARE_ZONE
KEYFACTOR_URL=http://$listen/KeyfactorAPI
KEYFACTOR_USER=$KEYFACTOR_PRINCIPAL
KEYFACTOR_PASSWORD=$(<"$vendors/keyfactor.password")
STRONGROOM_TLS_URL=https://$tls_listen
STRONGROOM_CA_FILE=$vendors/ca.pem
VENAFI_API_KEY=$(<"$vendors/venafi.api-key")
VENAFI_ZONE='Quickstart\\Default'
VENAFI_ZONE_TAG=quickstart
INFISICAL_CLIENT_ID=$INFISICAL_PRINCIPAL
INFISICAL_CLIENT_SECRET=$(<"$vendors/infisical.password")
INFISICAL_PROJECT=$INFISICAL_SLUG
INFISICAL_PROJECT_ID=$INFISICAL_PROJECT_ID
export CLOUDFLARE_BASE_URL CLOUDFLARE_API_TOKEN CLOUDFLARE_EMAIL CLOUDFLARE_API_KEY CLOUDFLARE_ACCOUNT_ID \\
    CLOUDFLARE_ZONE_ID KEYFACTOR_URL KEYFACTOR_USER KEYFACTOR_PASSWORD STRONGROOM_TLS_URL STRONGROOM_CA_FILE \\
    VENAFI_API_KEY VENAFI_ZONE VENAFI_ZONE_TAG INFISICAL_CLIENT_ID INFISICAL_CLIENT_SECRET INFISICAL_PROJECT \\
    INFISICAL_PROJECT_ID
END
}

# One call for each vendor. The shell writes the secret to a pipe: curl's own command line has none.
print_vendor_calls() {
    cat <<END

Cloudflare's API, as the vendor's clients call it:

    curl -H @<(echo "Authorization: Bearer \$(<'$vendors/cloudflare.api-key')") -H 'Content-Type: application/json' \\
        http://$listen/client/v4/accounts/$CLOUDFLARE_ACCOUNT/custom_csrs \\
        -d '{"common_name":"www.example.com","country":"NL","state":"Utrecht","locality":"Amersfoort",
             "organization":"Example","sans":["www.example.com"],"key_type":"p256v1"}'

Keyfactor's API:

    curl -K <(echo "user = $KEYFACTOR_PRINCIPAL:\$(<'$vendors/keyfactor.password')") -H 'x-keyfactor-requested-with: APIClient' \\
        -H 'Content-Type: application/json' http://$listen/KeyfactorAPI/CSRGeneration/Generate \\
        -d '{"Subject":"CN=www.example.com,O=Example,C=NL","KeyType":"ECC","KeyLength":256,
             "SANs":{"dns":["www.example.com"]}}'

Venafi's API, whose clients speak HTTPS only:

    curl --cacert '$vendors/ca.pem' -H @<(echo "tppl-api-key: \$(<'$vendors/venafi.api-key')") \\
        https://$tls_listen/outagedetection/v1/applications/name/Quickstart

Infisical's API:

    curl -H 'Content-Type: application/json' http://$listen/api/v1/auth/universal-auth/login \\
        -d @<(echo "{\"clientId\":\"$INFISICAL_PRINCIPAL\",\"clientSecret\":\"\$(<'$vendors/infisical.password')\"}")

END
}
