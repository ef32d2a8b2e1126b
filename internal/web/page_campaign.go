package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/unspoof/unspoof/internal/desk"
)

// campaignPage is a campaign with the addresses that its two pagers add to.
type campaignPage struct {
	desk.CampaignPage
	CallsBase, ScriptsBase string
}

func (s *server) campaign(r *http.Request, p desk.Person) (answer, error) {
	calls, err := pageNumber(r, "calls")
	if err != nil {
		return answer{}, err
	}
	scripts, err := pageNumber(r, "scripts")
	if err != nil {
		return answer{}, err
	}
	id := r.URL.Query().Get("id")
	c, err := s.desk.Campaign(r.Context(), p, id, calls, scripts)
	base := "/campaign?id=" + url.QueryEscape(id)
	return answer{Template: "campaign", Title: "Campaign " + visible(c.Campaign.ID), Data: campaignPage{c,
		base + "&scripts=" + strconv.Itoa(scripts), base + "&calls=" + strconv.Itoa(calls)}}, err
}
