package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/unspoof/unspoof/internal/desk"
)

// campaignsPage is a page of campaigns with the addresses that its two pagers add to.
type campaignsPage struct {
	desk.CampaignList
	CampaignsBase, PairsBase string
}

func (s *server) campaigns(r *http.Request, p desk.Person) (answer, error) {
	number, err := pageNumber(r, "page")
	if err != nil {
		return answer{}, err
	}
	pairs, err := pageNumber(r, "pairs")
	if err != nil {
		return answer{}, err
	}
	account := r.URL.Query().Get("account")
	l, err := s.desk.Campaigns(r.Context(), p, account, number, pairs)
	base := campaignsURL(account)
	return answer{Template: "campaigns", Title: "Campaigns", Data: campaignsPage{l, base + "&pairs=" + strconv.Itoa(pairs), base + "&page=" + strconv.Itoa(number)}}, err
}

func campaignsURL(account string) string { return "/campaigns?account=" + url.QueryEscape(account) }
