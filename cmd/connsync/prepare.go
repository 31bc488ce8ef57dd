package main

import (
	"connsync/conntrackd/apply"
	"connsync/conntrackd/prepare"
)

// preparedItem is one thing about the host in apply --dry-run --json.
type preparedItem struct {
	ID       prepare.ItemID    `json:"id"`
	Title    string            `json:"title"`
	Reason   string            `json:"reason"`
	State    prepare.ItemState `json:"state"`
	Detail   string            `json:"detail"`
	Commands []string          `json:"commands"`
}

func preparedItems(r apply.Review) []preparedItem {
	list := []preparedItem{}
	for _, i := range r.Preparation.Items {
		list = append(list, preparedItem{i.ID, i.Title, i.Reason, i.State, i.Detail, orEmpty(i.Commands)})
	}
	return list
}
