#include "worker/discovery/lexicon.h"

#include <stdio.h>
#include <string.h>

/* Each list is one string of words, with a blank before and after every word. */
static const char *const lists[LEXICON_N] = {
    [LEXICON_KEY] =
        " id ids key sk fk pk bk code cd no num number nr nbr uuid guid identifier oid ref rowid ",
    [LEXICON_NOT_KEY] =
        " paid unpaid prepaid valid invalid grid void avoid android bid mid aid acid fluid hybrid rapid "
        "solid "
        "liquid raid said laid covid madrid turkey monkey hockey whiskey jockey kidney survey volcano casino "
        "piano domino risk task disk desk mask ask flask decode encode barcode zipcode postcode areacode "
        "unicode "
        "qrcode episode keyword fluid euclid ",
    [LEXICON_NO_ABBREVIATION] =
        " in on at to of by is as an or no it we me so per the and for id key date name type code "
        "time day cat par cons con pro pre sub sup ",
    [LEXICON_STRONG_KEY] = " id key sk fk pk uuid guid identifier oid ",
    [LEXICON_SEQUENCE] =
        " line seq sequence number no num nr nbr position pos index ordinal idx step stint lap round rank "
        "version ord order lineno linenumber row part item installment week ",
    [LEXICON_MEASURE] =
        " days time lead amount amt qty quantity price cost total sum subtotal tax discount fee fees "
        "revenue sales salary wage balance "
        "weight height length width volume score points rating rate percent pct percentage "
        "count cnt value profit margin "
        "duration minutes seconds hours milliseconds ms bytes size units freight shipping "
        "budget credit debit goals wins "
        "losses runs hits hr rbi yards assists rebounds shots fouls cards stock level "
        "latitude longitude lat lng lon age "
        "distance speed temperature income expense payment paid net gross vat charge spend "
        "clicks impressions views sessions "
        "royalty advance attendance capacity area population elevation altitude area qoh "
        "onhand year month day ",
    [LEXICON_ADDITIVE] = " amount amt qty quantity cost total sum subtotal tax discount fee fees revenue "
                         "sales salary wage profit count cnt "
                         "duration minutes seconds hours milliseconds ms bytes units freight shipping credit "
                         "debit goals wins losses runs "
                         "hits hr rbi yards assists rebounds shots fouls cards points expense payment paid "
                         "net gross vat charge spend clicks "
                         "impressions views sessions volume weight value distance attendance royalty advance "
                         "income sold ordered refunded ",
    [LEXICON_NON_ADDITIVE] =
        " price rate percent pct percentage ratio score rating average avg mean median latitude longitude "
        "lat lng lon age temperature speed rank position grade margin unitprice listprice per index "
        "probability share year month day discountpct taxrate min max yield humidity pressure ",
    [LEXICON_SNAPSHOT] = " balance stock level onhand hand qoh inventory headcount outstanding open capacity "
                         "backlog population ",
    [LEXICON_EVENT] =
        " order sale invoice payment transaction shipment rental booking reservation result standing lap "
        "visit session click "
        "event ticket charge refund transfer line item detail inventory stock snapshot balance claim "
        "appointment attendance "
        "enrollment batting pitching fielding salary appearance match game race fixture play shot goal "
        "purchase receipt "
        "delivery return subscription call message email activity view impression lead opportunity deal "
        "quote bill journal "
        "entry posting payroll timesheet expense trade position quotation rating review vote comment "
        "feedback donation "
        "trip ride flight stay admission encounter diagnosis procedure prescription lab test measurement "
        "reading sensor log "
        "audit loan deposit withdrawal fine checkout circulation grade exam score submission registration "
        "lineitem orderdetail "
        "fact intent redemption attempt movement adjustment production workorder inspection incident repair "
        "usage consumption forecast "
        "budget target "
        "dispute payout invoiceline allocation settlement commission qualifying pitstop pit_stop sprint "
        "statistic stat "
        "performance assessment observation response survey scrap performed hearing contribution ",
    [LEXICON_ENTITY] = " customer client product employee staff store shop supplier vendor category "
                       "department region country city state "
                       "territory location address person people user account contact company organization "
                       "team player driver constructor "
                       "circuit season league stadium venue course student teacher instructor professor "
                       "school class room patient doctor "
                       "physician hospital ward drug book author publisher genre artist album track playlist "
                       "movie film actor director "
                       "channel campaign promotion brand model type status currency language date calendar "
                       "time warehouse carrier shipper "
                       "vehicle car plane aircraft airport airline station route hotel guest property agent "
                       "broker policy plan coupon "
                       "tag label stage pipeline field option template form folder group role permission "
                       "title job position skill project task manager branch "
                       "office bank card merchant "
                       "device sensor machine plant franchise park college award item part sku material uom "
                       "unit demographic demographics "
                       "page site website catalog reason mode band income household household call center "
                       "scenario organisation owner "
                       "member subscriber nation manufacturer facility building floor seat theater cinema "
                       "airport provider payer specialty ",
    [LEXICON_PERSON] =
        " employee staff user person people contact agent member player customer worker associate personnel "
        "consultant physician doctor teacher instructor salesperson owner seller admin ",
    [LEXICON_PERSON_ROLE] =
        " manager mgr mngr leader owner rep representative supervisor agent assignee reporter "
        "creator author approver reviewer buyer "
        "seller salesperson clerk cashier handler boss reports instructor coach captain "
        "lead head created updated modified "
        "assigned by approved requester submitter sender recipient receiver driver "
        "technician operator contact support "
        "staff salesrep batsman bowler striker fielder pitcher catcher goalie goalkeeper "
        "scorer umpire referee winner loser orderer ordered editor editors uploader ",
    [LEXICON_SELF] = " parent manager mgr reports supervisor boss prev previous next original replaced "
                     "replaces child root "
                     "related linked upline referred referrer superior sup duplicate predecessor successor "
                     "mentor head "
                     "alternate base master reply replied chief ",
    [LEXICON_LOG] = " log logs config configuration setting settings migration migrations audit version "
                    "versions metadata "
                    "parameter parameters schema temp tmp backup error errors buildversion databaselog "
                    "sysdiagrams flyway "
                    "preference preferences ",
    [LEXICON_LINE] = " line lines item items detail details lineitem lineitems orderline position entry ",
    [LEXICON_DESCRIPTIVE] =
        " name title description desc label type status category city state country address street email "
        "phone comment comments notes note text url zip postal gender first last middle color class "
        "brand nationality surname fullname abbreviation abbrev caption remark ",
    [LEXICON_TABLE_NOISE] =
        " dim dimension fact fct tbl table stg stage staging raw src source data export dump int base vw t "
        "master mst lookup lu ref ods dwh d f csv seed list file tb dataset ",
    [LEXICON_TABLE_NOUN] = " list stage source base file seed ",
    [LEXICON_DIM_MARK] = " dim dimension lookup lu ",
    [LEXICON_FACT_MARK] = " fact fct facts ",
    [LEXICON_BRIDGE_MARK] =
        " bridge map mapping xref link rel relation assoc association join junction membership ",
    [LEXICON_VERSION] =
        " valid effective updated modified changed from start begin since eff version change synced asof ",
    [LEXICON_GENERIC] =
        " name type status title description desc code id key value number date time year month day category "
        "group class level kind note comment flag order position rank count text label line first last "
        "row record rec serial internal surrogate "
        "state active created updated modified at on ",
    [LEXICON_HISTORY] = " history event log activity audit change transition snapshot tracking ",
    [LEXICON_TIME_PART] = " year season date month week quarter period ",
    [LEXICON_WITHIN_YEAR] = " half semester term trimester quarter month week ",
    [LEXICON_TABLE_FORM] = " flat final extract copy denormalized denormalised history hist ",
    [LEXICON_LABEL] =
        " year month day zip postal phone line seq sequence number no version code century quarter week "
        "hour minute flag is has ",
    [LEXICON_TOTAL] = " total extended subtotal amount amt net gross sum ",
    [LEXICON_FRACTION] = " discount tax vat commission royalty fee ",
    [LEXICON_ORIGIN] =
        " birth dob birthdate birthday born created create registered signup hire hired original founded "
        "joined debut first_order opened launched established introduced ",
    [LEXICON_BIRTH] = " birth dob birthdate birthday ",
    [LEXICON_TRACKED] =
        " address street city state region country zip postal territory segment tier level category class "
        "status type "
        "grade department dept team manager reports location plan job rating district county province ",
    [LEXICON_IN_FORCE] = " price cost rate limit salary margin ",
    [LEXICON_LOADED] = " synced fivetran airbyte etl dbt ingested ",
    [LEXICON_MOMENT] = " date at on time timestamp datetime dt ts day ",
    [LEXICON_LINK_QUALIFIER] = " type category kind status relationship primary active ",
    [LEXICON_EVERYWHERE] =
        " id key name code type status date time no nr num number desc description created updated at on by "
        "is of "
        "the ts dt text value count flag nbr cd year month day active note comment title amount fk pk ",
};

static const char *const singulars[][2] = {
    {"people", "person"},  {"children", "child"},    {"men", "man"},           {"women", "woman"},
    {"staves", "staff"},   {"indices", "index"},     {"data", "data"},         {"series", "series"},
    {"status", "status"},  {"statuses", "status"},   {"addresses", "address"}, {"movies", "movie"},
    {"cookies", "cookie"}, {"news", "news"},         {"analyses", "analysis"}, {"criteria", "criterion"},
    {"media", "media"},    {"bus", "bus"},           {"gas", "gas"},           {"sales", "sale"},
    {"caches", "cache"},   {"employes", "employee"},
};

static const char *const synonyms[] = {
    " customer client buyer account guest patron consumer shopper cust ",
    " employee staff rep representative agent worker salesperson manager clerk associate emp reports seller ",
    " product item part article sku goods prod material ",
    " vendor supplier seller supp ",
    " shipper carrier ship via shipvia shipping courier ",
    " category group type class cat kind family ",
    " store shop branch outlet location site venue ",
    " country nation ",
    " author writer ",
    " user person member account owner creator assignee author reporter actor ",
    " company organization organisation firm org business account ",
    " department dept division unit ",
    " date day calendar time start end sold returned opened closed due ordered effective ",
    " address billing shipping bill ",
    " address addr location ",
    " team club home away opponent side winner loser franchise ",
    " city town place capital ",
    " airport origin destination dest orig ",
    " film movie title show episode ",
    " driver racer ",
    " instructor teacher professor lecturer ",
    " doctor physician provider practitioner ",
    " language lang locale ",
    " currency curr ",
    " demographic demographics demo ",
    " person people contact ",
};

bool lexicon_has(lexicon_t list, const char *word)
{
    char needle[64];
    int n = snprintf(needle, sizeof needle, " %s ", word);
    return n > 2 && (size_t)n < sizeof needle && strstr(lists[list], needle) != NULL;
}

bool lexicon_is_noise_at_end(const char *word)
{
    return lexicon_has(LEXICON_TABLE_NOISE, word) && !lexicon_has(LEXICON_TABLE_NOUN, word);
}

const char *lexicon_singular(const char *word)
{
    for (size_t i = 0; i < sizeof singulars / sizeof singulars[0]; i++) {
        if (strcmp(singulars[i][0], word) == 0)
            return singulars[i][1];
    }
    return NULL;
}

bool lexicon_synonyms(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return false; /* the same word is better evidence, judged elsewhere */
    char x[64], y[64];
    int n = snprintf(x, sizeof x, " %s ", a), m = snprintf(y, sizeof y, " %s ", b);
    if (n >= (int)sizeof x || m >= (int)sizeof y)
        return false;
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++) {
        if (strstr(synonyms[i], x) != NULL && strstr(synonyms[i], y) != NULL)
            return true;
    }
    return false;
}
